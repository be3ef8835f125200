import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import type { Draft } from "../kinds/object.ts";
import { clusterRoleAggregation } from "./cluster-role-aggregation.ts";

const clusterRoles = resource("rbac.authorization.k8s.io/v1", "clusterroles");
const rule = (name: string) => ({ apiGroups: [""], resources: [name], verbs: ["get"] });

const role = (name: string, more: object, labels: Record<string, string> = {}): Draft => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name, labels },
  ...more,
});

const selecting = (label: string) => ({
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: "true" } }] },
});

test("a role holds the rules of the roles it selects, and of those they select, as they come and go", async (t) => {
  const { client, scope, until } = await startControlled([clusterRoleAggregation]);
  t.after(() => scope.close());
  const holds = (name: string, ...wanted: string[]) =>
    until(clusterRoles, (all) => {
      const found = all.find(({ metadata }) => metadata.name === name);
      const names = ((found?.["rules"] ?? []) as any[]).flatMap((one) => one.resources);
      return found && names.join() === wanted.join();
    });
  await client.create(clusterRoles, role("all", selecting("to-all")));
  await client.create(clusterRoles, role("few", selecting("to-few"), { "to-all": "true" }));
  await client.create(clusterRoles, role("a", { rules: [rule("pods")] }, { "to-few": "true" }));
  await client.create(
    clusterRoles,
    role("b", { rules: [rule("nodes"), rule("pods")] }, { "to-all": "true" }),
  );
  await holds("few", "pods");
  await holds("all", "nodes", "pods");
  await client.patch({ ...clusterRoles, name: "a" }, "merge", { metadata: { labels: null } });
  await holds("few");
  await client.delete({ ...clusterRoles, name: "b" });
  await holds("all");
  const { rules } = (await client.get({ ...clusterRoles, name: "a" })) as any;
  assert.deepEqual(rules, [rule("pods")]);
});
