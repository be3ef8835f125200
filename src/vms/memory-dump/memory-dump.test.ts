import assert from "node:assert/strict";
import { after, test } from "node:test";
import { resource } from "../../client/client.ts";
import { domain, namespace, startMachines, until } from "../../../test/support/machines.ts";
import { pods, virtualMachines } from "../kinds/resources.ts";
import { claimOf, dumpFile, dumpRequested, removalRequested } from "./request.ts";

const vm = (memoryDumpRequest?: object): any => ({
  metadata: { name: "till" },
  ...(memoryDumpRequest && { status: { memoryDumpRequest } }),
});
const vmi: any = { spec: { domain: { memory: { guest: "64Mi" } } } };
const claim = (storage: string, spec: object = {}): any => ({
  metadata: { name: "dumps" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } }, ...spec },
});

test("a dump goes to a claim that holds it, and to one claim at a time", () => {
  const known = (phase: string) => vm({ claimName: "dumps", phase });
  assert.equal(claimOf(vm(), { claimName: "dumps" }), "dumps");
  assert.equal(claimOf(known("Completed"), {}), "dumps", "the one before, where none is named");
  assert.equal(claimOf(known("Failed"), { claimName: "dumps" }), "dumps");
  assert.throws(() => claimOf(vm(), {}), /requires claim name/);
  assert.throws(() => claimOf(known("Completed"), { claimName: "other" }), /still associated/);
  assert.throws(() => claimOf(known("InProgress"), {}), /already in progress/);
  assert.throws(() => claimOf(known("Dissociating"), {}), /remove memory dump request/);
  assert.equal(dumpRequested(vmi, claim("164Mi")).phase, "Associating");
  assert.throws(() => dumpRequested(vmi, claim("163Mi")), /should be bigger/);
  assert.throws(() => dumpRequested(vmi, claim("1Gi", { volumeMode: "Block" })), /filesystem/);
  const readOnly = { accessModes: ["ReadOnlyMany"] };
  assert.throws(() => dumpRequested(vmi, claim("1Gi", readOnly)), /read only/);
  assert.throws(() => removalRequested(vm()), /no association found/);
  assert.throws(() => removalRequested(vm({ claimName: "dumps", remove: true })), /already exists/);
  const started = { claimName: "dumps", phase: "InProgress" };
  const startTimestamp = "2030-01-02T03:04:05Z";
  const file = dumpFile("till", { ...started, startTimestamp });
  assert.equal(file, "till-dumps-20300102-030405.memory.dump");
});

const dumped: [string, object][] = [];
let refusal: Error | undefined;
const { client, close, create, boot } = await startMachines({
  dumpMemory: (file: string, to: object) => {
    if (refusal) throw refusal;
    dumped.push([file, to]);
  },
});
after(close);

const target = { ...virtualMachines, namespace, name: "core" };
const ask = async (next: object | null) => {
  const patch = { status: { memoryDumpRequest: next } };
  await client.patch({ ...target, subresource: "status" }, "merge", patch);
};
const request = async () => (await client.get(target)).status?.memoryDumpRequest;

test("a machine's memory lies on the claim once its pod there ran, and the claim says which file", async () => {
  const claims = { ...resource("v1", "persistentvolumeclaims"), namespace };
  await client.create(claims, { apiVersion: "v1", kind: "PersistentVolumeClaim", ...claim("1Gi") });
  await create("core", { runStrategy: "Always" }, { domain });
  await boot("core");
  await ask({ claimName: "dumps", phase: "Associating" });
  const holder = { ...pods, namespace, name: "memory-dump-core" };
  const { metadata } = await until(() => client.get(holder));
  assert.equal((await request()).phase, "InProgress");
  assert.deepEqual(dumped, [], "nobody holds the claim yet");
  const running = { status: { phase: "Running" } };
  await client.patch({ ...holder, subresource: "status" }, "merge", running);
  const done = await until(async () => {
    const now = await request();
    assert.equal(now.phase, "Completed");
    return now;
  });
  assert.deepEqual(dumped, [[done.fileName, { holder: metadata.uid, volume: "dump" }]]);
  const { annotations } = (await client.get({ ...claims, name: "dumps" })).metadata;
  assert.equal(annotations!["kubevirt.io/memory-dump"], done.fileName);
  await until(async () => {
    const pod = await client.get(holder).catch(() => undefined);
    assert.ok(!pod || pod.metadata.deletionTimestamp);
  });
  await client.delete(holder, { gracePeriodSeconds: 0 }).catch(() => {});
  await ask({ claimName: "dumps", phase: "Dissociating", remove: true });
  await until(async () => assert.equal(await request(), undefined));
});

test("why a dump failed is said", async () => {
  refusal = new Error("QEMU could not write it all");
  await ask({ claimName: "dumps", phase: "Associating" });
  const holder = { ...pods, namespace, name: "memory-dump-core" };
  await until(() => client.get(holder));
  const running = { status: { phase: "Running" } };
  await client.patch({ ...holder, subresource: "status" }, "merge", running);
  const failed = await until(async () => {
    const now = await request();
    assert.equal(now.phase, "Failed");
    return now;
  });
  assert.match(failed.message, /could not write/);
});
