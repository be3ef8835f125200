// What a site's agent stands on. No work takes it away, not even the one that brought it, since nobody could put
// it right again from the hub. Pure.
import { memberDefinitions } from "../kinds/resources.ts";
import { agentNamespace, bootstrapSecret, hubSecret, standbySecret } from "../names.ts";
import type { Identifier } from "./manifest.ts";

const workGroup = "work.open-cluster-management.io";
const definitions = new Set(memberDefinitions.map(({ metadata }) => metadata.name));
/** Every cluster has these, and none lets them be deleted. */
const namespaces = new Set([
  ...[agentNamespace, "default"],
  ...["kube-system", "kube-public", "kube-node-lease"],
]);

/** Why a work may not bring this at all; undefined when it may. */
export function ownRefusal({ group, resource, namespace, name }: Identifier): string | undefined {
  const refused =
    (resource === "secrets" &&
      group === "" &&
      namespace === agentNamespace &&
      name === hubSecret) ||
    (resource === "appliedmanifestworks" && group === workGroup) ||
    (resource === "customresourcedefinitions" && definitions.has(name));
  if (!refused) return undefined;
  return `${resource} ${JSON.stringify(name)} is the agent's own; a work cannot change it`;
}

/** Whether it stays when its work goes. */
export function isKept({ group, resource, namespace, name }: Identifier): boolean {
  if (group === "" && resource === "namespaces") return namespaces.has(name);
  return (
    (group === "" &&
      resource === "secrets" &&
      namespace === agentNamespace &&
      [bootstrapSecret, standbySecret, hubSecret].includes(name)) ||
    (resource === "customresourcedefinitions" && definitions.has(name)) ||
    (group === workGroup && resource === "appliedmanifestworks")
  );
}
