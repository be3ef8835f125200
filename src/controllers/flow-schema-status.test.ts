import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { flowSchemaStatus } from "./flow-schema-status.ts";
import { conditionOf } from "./pod-state.ts";

const apiVersion = "flowcontrol.apiserver.k8s.io/v1";
const schemas = resource(apiVersion, "flowschemas");
const levels = resource(apiVersion, "prioritylevelconfigurations");

test("a FlowSchema says whether its priority level is there", async (t) => {
  const { client, scope, until } = await startControlled([flowSchemaStatus]);
  t.after(() => scope.close());
  await client.create(schemas, {
    apiVersion,
    kind: "FlowSchema",
    metadata: { name: "mine" },
    spec: { priorityLevelConfiguration: { name: "late" } },
  });
  const says = (status: string) =>
    until(schemas, ([one]) => one && conditionOf(one, "Dangling")?.status === status && one);
  assert.match(conditionOf(await says("True"), "Dangling")!["message"] as string, /no such object/);
  await client.create(levels, {
    apiVersion,
    kind: "PriorityLevelConfiguration",
    metadata: { name: "late" },
    spec: { type: "Limited", limited: { limitResponse: { type: "Reject" } } },
  });
  await says("False");
  await client.delete({ ...levels, name: "late" });
  await says("True");
});
