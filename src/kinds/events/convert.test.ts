import assert from "node:assert/strict";
import { test } from "node:test";
import { localClient } from "../../client/local.ts";
import { startListener } from "../../server/test-listener.ts";

const core = { group: "", version: "v1", resource: "events", namespace: "default" };
const newer = { ...core, group: "events.k8s.io" };

test("an event written in either group is read in both, field by field", async () => {
  const site = await startListener();
  const client = localClient(site.server, { name: "admin", groups: ["system:masters"] });
  const pod = { kind: "Pod", namespace: "default", name: "web" };
  const made = await client.create(newer, {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: "one", namespace: "default" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    reportingController: "example.com/c",
    reportingInstance: "c-1",
    action: "Binding",
    reason: "Scheduled",
    type: "Normal",
    regarding: pod,
    note: "went to edge-1",
  });
  assert.deepEqual([made["regarding"].name, made["note"]], ["web", "went to edge-1"]);
  const old: any = await client.get({ ...core, name: "one" });
  assert.deepEqual(
    [old.apiVersion, old.involvedObject, old.message],
    ["v1", pod, "went to edge-1"],
  );
  assert.equal(old.reportingComponent, "example.com/c");
  await client.patch({ ...core, name: "one" }, "merge", { count: 3 });
  const [listed]: any[] = (
    await client.list({ ...newer, fieldSelector: "regarding.name=web" } as any)
  ).items;
  assert.deepEqual([listed.apiVersion, listed.deprecatedCount], ["events.k8s.io/v1", 3]);
  for await (const { object } of client.watch(newer)) {
    assert.equal((object as any).note, "went to edge-1");
    break;
  }
  await client.delete({ ...newer, name: "one" });
  assert.equal((await client.list(core)).items.length, 0);
  await site.scope.close();
});
