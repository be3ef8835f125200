// What tools and scripts read of machines beside their states, as KubeVirt says it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { resource } from "../client/client.ts";
import { systemClock } from "../lib/clock.ts";
import { domain, namespace, startMachines, until } from "../../test/support/machines.ts";
import { cdis, clusterInstancetypes, kubeVirts } from "./kinds/resources.ts";
import { ensureVms } from "./start.ts";

const { client, close, create, vm, vmi, podOf, boot, end } = await startMachines();
after(close);

const claim = (name: string, spec: object = {}) => ({
  ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name } },
  spec: {
    ...{ accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    ...spec,
  },
});

test("a machine and its instance tell of their volumes, pods and ends as KubeVirt's do", async () => {
  const claims = { ...resource("v1", "persistentvolumeclaims"), namespace };
  await client.create(claims, claim("kept"));
  await client.create(claims, claim("raw", { volumeMode: "Block" }));
  const volumes = [
    { name: "kept", persistentVolumeClaim: { claimName: "kept" } },
    { name: "raw", persistentVolumeClaim: { claimName: "raw" } },
    { name: "image", containerDisk: { image: "example.com/a" } },
  ];
  await create("teller", { runStrategy: "Once" }, { domain, volumes });
  const pod = await boot("teller");
  const told = await until(async () => {
    const { metadata, status } = await podOf("teller");
    assert.equal(metadata.labels?.["kubevirt.io/nodeName"], "box");
    assert.ok(status);
    return vmi("teller");
  });
  assert.equal(told.status.launcherContainerImageVersion, pod.spec.containers[0].image);
  assert.deepEqual(told.status.volumeStatus[0], {
    name: "kept",
    target: "",
    persistentVolumeClaimInfo: {
      ...{ claimName: "kept", accessModes: ["ReadWriteOnce"], volumeMode: "Filesystem" },
      ...{ capacity: {}, requests: { storage: "1Gi" } },
    },
  });
  assert.equal(
    "descheduler.alpha.kubernetes.io/request-evict-only" in pod.metadata.annotations!,
    true,
  );
  const { volumeSnapshotStatuses } = (await vm("teller")).status;
  assert.deepEqual(
    volumeSnapshotStatuses.map(({ name, enabled }: any) => [name, enabled]),
    [
      ["kept", true],
      ["raw", false],
      ["image", false],
    ],
  );
  await end("teller");
  const events = { ...resource("v1", "events"), namespace };
  await until(async () => {
    const fieldSelector = "involvedObject.kind=VirtualMachineInstance,involvedObject.name=teller";
    const { items } = await client.list(events, { fieldSelector });
    const stopped = items.find(({ reason }: any) => reason === "Stopped") as any;
    assert.equal(stopped?.message, "The VirtualMachineInstance was shut down.");
  });
});

test("a disk says which size and preference its machine is to have", async () => {
  const claims = { ...resource("v1", "persistentvolumeclaims"), namespace };
  const of = "instancetype.kubevirt.io/default-";
  const labels = {
    [`${of}instancetype`]: "tiny",
    [`${of}instancetype-kind`]: "virtualmachineclusterinstancetype",
  };
  const golden = claim("golden");
  await client.create(claims, { ...golden, metadata: { name: "golden", labels } });
  await client.create(clusterInstancetypes, {
    apiVersion: "instancetype.kubevirt.io/v1beta1",
    kind: "VirtualMachineClusterInstancetype",
    metadata: { name: "tiny" },
    spec: { cpu: { guest: 1 }, memory: { guest: "48Mi" } },
  });
  const mayLack = { inferFromVolume: "disk", inferFromVolumeFailurePolicy: "Ignore" };
  const volumes = [{ name: "disk", persistentVolumeClaim: { claimName: "golden" } }];
  const spec = { runStrategy: "Always", instancetype: mayLack, preference: mayLack };
  // As virtctl writes it: a size of its own, for a disk that does not say.
  await create("sized", spec, { domain, volumes });
  await boot("sized");
  assert.equal((await vmi("sized")).spec.domain.memory.guest, "48Mi");
  const known = (await vm("sized")).spec;
  assert.equal(known.instancetype.name, "tiny");
  assert.equal(known.preference, undefined);
  await create(
    "strict",
    { runStrategy: "Always", preference: { inferFromVolume: "disk" } },
    { domain, volumes },
  );
  const failure = await until(async () => {
    const { conditions } = (await vm("strict")).status;
    return conditions.find(({ type }: any) => type === "Failure")!;
  });
  assert.match(failure.message, /default-preference label on volume disk/);
});

test("KubeVirt and CDI are deployed, to whoever looks before using them", async () => {
  const kubevirt = { ...kubeVirts, namespace: "kubevirt", name: "kubevirt" };
  const { status: seen } = await client.get(kubevirt);
  assert.partialDeepStrictEqual(seen, {
    ...{ phase: "Deployed", observedKubeVirtVersion: "v1.6.0", defaultArchitecture: "amd64" },
  });
  const { status: cdi } = await client.get({ ...cdis, name: "cdi" });
  assert.equal(cdi.phase, "Deployed");
  const available = cdi.conditions.find(({ type }: any) => type === "Available");
  assert.equal(available.status, "True");
  // A second start writes nothing.
  const before = (await client.get(kubevirt)).metadata.resourceVersion;
  await ensureVms(client, systemClock);
  assert.equal((await client.get(kubevirt)).metadata.resourceVersion, before);
});
