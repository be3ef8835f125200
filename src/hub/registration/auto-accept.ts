// Sites that a rule accepts. A rule says who may introduce sites and how they may be called; it never accepts one
// that a person refused, nor one under the name of a site that has a certificate already. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import type { Condition } from "../../lib/conditions.ts";
import type { AutoAcceptSpec } from "../kinds/auto-accept-rule.ts";

export interface AutoAcceptRule extends KubeObject {
  spec: AutoAcceptSpec;
}

interface Introduction {
  /** The site's name. */
  cluster: string;
  /** Who asks for its certificate. */
  username: string;
  groups: string[];
}

function matches(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

/** The first rule, by name, that accepts. */
export function acceptingRule(
  rules: AutoAcceptRule[],
  { cluster, username, groups }: Introduction,
) {
  return rules
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .find(({ spec }) => {
      const by = spec.users?.includes(username) || spec.groups?.some((one) => groups.includes(one));
      return by && (spec.names?.some((pattern) => matches(pattern, cluster)) ?? true);
    });
}

/** Whether a person once said no. */
export const wasRefused = ({ status }: KubeObject) =>
  status?.conditions?.some(
    (one: Condition) => one.type === "HubAcceptedManagedCluster" && one.status === "False",
  ) ?? false;
