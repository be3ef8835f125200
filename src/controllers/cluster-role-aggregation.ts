// Writes into a ClusterRole with an aggregationRule the rules of the ClusterRoles it selects, where people and
// tools read them. What it grants is decided from the roles themselves, so nothing waits for this.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { jsonEqual } from "../lib/json.ts";
import { compileSelector } from "../lib/label-selector.ts";
import type { LabelSelector } from "../lib/label-selector.ts";
import type { Controller } from "./runtime.ts";

const clusterRoles = resource("rbac.authorization.k8s.io/v1", "clusterroles");

/** The rules of all roles that `role` selects: selector by selector, by name, each rule once. Pure. */
export function aggregatedRules(role: KubeObject, roles: readonly KubeObject[]): object[] {
  const selectors: LabelSelector[] = role["aggregationRule"]?.clusterRoleSelectors ?? [];
  const others = roles
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules: object[] = [];
  for (const matches of selectors.map(compileSelector)) {
    for (const { metadata, rules: granted } of others as (KubeObject & { rules?: object[] })[]) {
      if (!matches(metadata.labels)) continue;
      for (const rule of granted ?? []) {
        if (!rules.some((known) => jsonEqual(known, rule))) rules.push(rule);
      }
    }
  }
  return rules;
}

export const clusterRoleAggregation: Controller = {
  name: "cluster-role-aggregation",
  inputs: [
    {
      resource: clusterRoles,
      // A role that changes, or loses its labels, concerns every role that aggregates.
      keys: (_, { informer }) =>
        informer(clusterRoles)
          .list()
          .filter((role) => role["aggregationRule"])
          .map(({ metadata }) => metadata.name),
    },
  ],
  outputs: [clusterRoles],
  async reconcile(name, { client, informer }) {
    const role = informer(clusterRoles).get(name);
    if (!role?.["aggregationRule"]) return;
    const rules = aggregatedRules(role, informer(clusterRoles).list());
    if (jsonEqual(role["rules"] ?? [], rules)) return;
    const { resourceVersion } = role.metadata;
    await client.patch({ ...clusterRoles, name }, "merge", {
      metadata: { resourceVersion },
      rules,
    });
  },
};
