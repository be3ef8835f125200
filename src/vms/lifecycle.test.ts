// Machines from manifest to pod and back, against a whole API server; a stand-in is the node.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { domain, namespace, startMachines, until } from "../../test/support/machines.ts";
import {
  claims,
  clusterInstancetypes,
  instanceReplicaSets,
  migrations,
  controllerRevisions,
  instances,
  machineExports,
  pods,
  virtualMachines,
} from "./kinds/resources.ts";

const { server, client, asked, close, ...machines } = await startMachines();
const { create, vm, vmi, isStatus, gone, podOf, boot, end } = machines;
after(close);

test("a machine that always runs becomes a pod, says how it is, and comes back when its guest ends", async () => {
  await create("till", { runStrategy: "Always" });
  const pod = await boot("till");
  await isStatus("till", "Running");
  assert.equal(pod.spec.runtimeClassName, "kerb-vm");
  assert.equal(pod.metadata.labels?.["app"], "till");
  assert.equal(JSON.parse(pod.metadata.annotations!["vms.kerb.dev/domain"]!).name, "till");
  const first = await vmi("till");
  assert.equal(first.metadata.labels?.["kubevirt.io/nodeName"], "box");
  assert.deepEqual(first.status.activePods, { [pod.metadata.uid]: "box" });
  await until(async () => assert.equal((await vm("till")).status.ready, true));
  await end("till");
  await until(async () => assert.notEqual((await vmi("till")).metadata.uid, first.metadata.uid));
  assert.equal((await vmi("till")).spec.domain.firmware.uuid, (await vm("till")).metadata.uid);
});

test("an instance names what its machine was when it was made, of which the last is kept", async () => {
  const made = await create("kiln", { runStrategy: "Always" });
  const named = async () => (await vmi("kiln")).status.virtualMachineRevisionName;
  await boot("kiln");
  const first = `revision-start-vm-${made.metadata.uid}-1`;
  assert.equal(await named(), first);
  const revision = await client.get({ ...controllerRevisions, namespace, name: first });
  assert.deepEqual(revision["data"].spec, (await vm("kiln")).spec);
  assert.equal(revision["revision"], 1);
  await client.patch({ ...virtualMachines, namespace, name: "kiln" }, "merge", {
    spec: { template: { spec: { terminationGracePeriodSeconds: 7 } } },
  });
  await end("kiln");
  const second = first.replace(/1$/, "2");
  await until(async () => assert.equal(await named(), second));
  await until(() =>
    assert.rejects(client.get({ ...controllerRevisions, namespace, name: first }), /not found/),
  );
});

test("halted, it stops, and its pod is given the guest's time to power down", async () => {
  await create("pump", { running: true });
  const pod = await boot("pump");
  await isStatus("pump", "Running");
  await client.patch({ ...virtualMachines, namespace, name: "pump" }, "merge", {
    spec: { running: false },
  });
  await isStatus("pump", "Stopping");
  const leaving = await client.get({ ...pods, namespace, name: pod.metadata.name });
  assert.equal(leaving.metadata.deletionGracePeriodSeconds, 35);
  await end("pump");
  await gone("pump");
  await isStatus("pump", "Stopped");
});

test("a deleted machine goes when nothing of it runs any more", async () => {
  await create("fan", { runStrategy: "Always" });
  await boot("fan");
  await client.delete({ ...virtualMachines, namespace, name: "fan" });
  await until(async () => assert.ok((await vmi("fan")).metadata.deletionTimestamp));
  await isStatus("fan", "Terminating");
  await end("fan");
  await until(() => assert.rejects(vm("fan"), /not found/));
  await gone("fan");
});

test("a machine that never starts is tried ever more slowly", async () => {
  await create("bad", { runStrategy: "Always" });
  await until(() => podOf("bad"));
  await end("bad", "Failed");
  await isStatus("bad", "CrashLoopBackOff");
  assert.equal((await vm("bad")).status.startFailure.consecutiveFailCount, 1);
});

test("what a machine waits for is said", async () => {
  const volumes = [{ name: "root", persistentVolumeClaim: { claimName: "none" } }];
  await create("lost", { runStrategy: "Always" }, { domain, volumes });
  await isStatus("lost", "ErrorPvcNotFound");
  await create(
    "typed",
    { runStrategy: "Always", instancetype: { name: "none" } },
    { domain: { devices: {} } },
  );
  await until(async () => {
    const { conditions } = (await vm("typed")).status;
    const failure = conditions.find((one: any) => one.type === "Failure");
    assert.match(failure.message, /virtualmachineclusterinstancetypes.*"none" not found/);
  });
});

test("a machine keeps the instance type that it took, whatever becomes of the type", async () => {
  const type = {
    apiVersion: "instancetype.kubevirt.io/v1beta1",
    kind: "VirtualMachineClusterInstancetype",
    metadata: { name: "small" },
    spec: { cpu: { guest: 2 }, memory: { guest: "96Mi" } },
  };
  await client.create(clusterInstancetypes, type);
  await create(
    "sized",
    { runStrategy: "Halted", instancetype: { name: "small" } },
    { domain: { devices: {} } },
  );
  await until(async () => assert.ok((await vm("sized")).status?.instancetypeRef));
  await client.patch({ ...clusterInstancetypes, name: "small" }, "merge", {
    spec: { cpu: { guest: 8 } },
  });
  await client.patch({ ...virtualMachines, namespace, name: "sized" }, "merge", {
    spec: { runStrategy: "Always" },
  });
  const made = await until(() => vmi("sized"));
  assert.equal(made.spec.domain.cpu.sockets, 2);
  const { name } = (await vm("sized")).status.instancetypeRef.controllerRevisionRef;
  const revision = await client.get({ ...controllerRevisions, namespace, name });
  assert.equal(revision["data"].spec.cpu.guest, 2);
});

test("an edit of a running machine reaches its instance, or says that it needs a restart", async () => {
  await create("old", { runStrategy: "Always" });
  await boot("old");
  const edit = (template: object) =>
    client.patch({ ...virtualMachines, namespace, name: "old" }, "merge", {
      spec: { template: { spec: template } },
    });
  await edit({ nodeSelector: { shelf: "two" } });
  await until(async () => assert.deepEqual((await vmi("old")).spec.nodeSelector, { shelf: "two" }));
  const restart = async () =>
    (await vm("old")).status.conditions.find((one: any) => one.type === "RestartRequired");
  assert.equal(await restart(), undefined);
  await edit({ domain: { memory: { guest: "80Mi" } } });
  await until(async () => assert.match((await restart())?.message, /memory updated/));
  assert.equal((await vmi("old")).spec.domain.memory.guest, "64Mi");
});

const subresource = (resource: string, name: string, action: string, body: object = {}) =>
  client.update(
    {
      ...{ group: "subresources.kubevirt.io", version: "v1", resource, namespace, name },
      subresource: action,
    },
    { apiVersion: "v1", kind: "Options", metadata: { name } as any, ...body },
  );
const act = (name: string, action: string, body?: object) =>
  subresource("virtualmachines", name, action, body).catch((error: any) => {
    // A good answer has no body.
    if (error.code) throw error;
  });
const guest = (name: string, action: string) =>
  subresource("virtualmachineinstances", name, action).catch((error: any) => {
    if (error.code) throw error;
  });

test("people start, restart and stop a machine by its subresources", async () => {
  await create("hand", { runStrategy: "Manual" });
  await isStatus("hand", "Stopped");
  await act("hand", "start", { dryRun: ["All"] });
  assert.equal((await vm("hand")).status.stateChangeRequests, undefined);
  await act("hand", "start");
  await boot("hand");
  await isStatus("hand", "Running");
  await assert.rejects(act("hand", "start"), /VM is already running/);
  const { uid } = (await vmi("hand")).metadata;
  await act("hand", "restart");
  await until(async () => assert.ok((await vmi("hand")).metadata.deletionTimestamp));
  await end("hand");
  await until(async () => assert.notEqual((await vmi("hand")).metadata.uid, uid));
  await boot("hand");
  await act("hand", "stop");
  await end("hand");
  await gone("hand");
  await assert.rejects(act("hand", "stop"), /VM is not running/);
  await assert.rejects(act("nobody", "start"), /"nobody" not found/);
});

test("a guest that runs is asked on its node, one that does not is not", async () => {
  await create("lathe", { runStrategy: "Always" });
  await until(() => podOf("lathe"));
  await assert.rejects(guest("lathe", "pause"), /VMI is not running/);
  await boot("lathe");
  for (const action of ["pause", "reset", "softreboot"]) await guest("lathe", action);
  assert.deepEqual(asked, ["pause", "reset", "softReboot"]);
  await assert.rejects(guest("lathe", "unpause"), /VMI is not paused/);
  await assert.rejects(guest("lathe", "freeze"), /does not have guest agent connected/);
});

test("what cannot be is refused before it is stored, and instances are their machine's affair", async () => {
  const volumes = [{ name: "a", hostDisk: { path: "/etc/shadow", type: "Disk" } }];
  await assert.rejects(
    create("sly", { runStrategy: "Always" }, { domain, volumes }),
    /spec.template.spec.volumes\[0\].hostDisk: Forbidden/,
  );
  const patch = { spec: { domain: { memory: { guest: "1Gi" } } } };
  const person = server.client({ name: "jane", groups: ["system:masters"] });
  await assert.rejects(
    person.patch({ ...instances, namespace, name: "lathe" }, "merge", patch),
    /update of VMI object is restricted/,
  );
});

test("a set of VMIs is scaled as any other, and replaces what ended", async () => {
  const template = { metadata: { labels: { app: "set" } }, spec: { domain } };
  const sets = { ...instanceReplicaSets, namespace, name: "set" };
  await client.create(
    { ...instanceReplicaSets, namespace },
    {
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachineInstanceReplicaSet",
      metadata: { name: "set" },
      spec: { replicas: 1, selector: { matchLabels: { app: "set" } }, template },
    },
  );
  const own = async () =>
    (await client.list({ ...instances, namespace }, { labelSelector: "app=set" })).items;
  const count = (wanted: number) => until(async () => assert.equal((await own()).length, wanted));
  await count(1);
  await client.patch({ ...sets, subresource: "scale" }, "merge", { spec: { replicas: 2 } });
  await count(2);
  await until(async () => assert.equal((await client.get(sets)).status.replicas, 2));
});

test("the eviction of a VM's pod begins its move, where its strategy says so", async () => {
  await create("mover", { runStrategy: "Always" }, { domain, evictionStrategy: "LiveMigrate" });
  const pod = await boot("mover");
  const evict = () =>
    client.create(
      { ...pods, namespace, name: pod.metadata.name, subresource: "eviction" },
      { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod.metadata.name } },
    );
  await assert.rejects(evict(), /is not live-migratable/);
  await until(async () => {
    const now = await vmi("mover");
    const conditions = [...now.status.conditions, { type: "LiveMigratable", status: "True" }];
    await client.update(
      { ...instances, namespace, name: "mover" },
      { ...now, status: { ...now.status, conditions } },
    );
  });
  await until(() =>
    assert.rejects(evict(), /Eviction triggered evacuation of VMI "default\/mover"/),
  );
  await until(async () => {
    const { items } = await client.list({ ...migrations, namespace });
    assert.ok(items.some(({ spec }) => spec.vmiName === "mover"));
  });
  assert.equal((await vmi("mover")).status.evacuationNodeName, "box");
  await until(async () => {
    await guest("mover", "evacuate/cancel");
    assert.equal((await vmi("mover")).status.evacuationNodeName, undefined);
  });
});

test("an export whose pod ended while its node was down gets another", async () => {
  const at = { ...claims, namespace };
  const resources = { requests: { storage: "1Gi" } };
  const spec = { accessModes: ["ReadWriteOnce"], resources };
  await client.create(at, { metadata: { name: "kept" }, spec } as any);
  const source = { apiGroup: "", kind: "PersistentVolumeClaim", name: "kept" };
  const wanted = { metadata: { name: "out" }, spec: { source } };
  await client.create({ ...machineExports, namespace }, wanted as any);
  const target = { ...pods, namespace, name: "virt-export-out" };
  const served = () => client.get(target);
  await until(served);
  const first = await served();
  await client.patch({ ...target, subresource: "status" }, "merge", {
    status: { phase: "Failed" },
  });
  await until(async () => assert.notEqual((await served()).metadata.uid, first.metadata.uid));
});
