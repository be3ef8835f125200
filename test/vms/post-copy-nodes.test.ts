// What becomes of a guest that goes to another node, also before its memory is there, when Kerb or a QEMU ends meanwhile
// or the nodes lose each other. The kernel lets QEMU only where it is told so, which this file does for its time.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { guestArchive, guestArgs, guestImage, guestPaths, untilGuest } from "../support/guest.ts";
import { Machine } from "../support/machine.ts";
import { qemusOf } from "../support/qemu-process.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const permission = "/proc/sys/vm/unprivileged_userfaultfd";
const permitted = readFileSync(permission, "utf8");
const machine = new Machine();
let site: Site;
/** Of the guest as it was at the beginning of a test. */
let uid: string;
/** Of neither node's, as a QEMU is known by the folder of its node. */
const sharedFolder = mkdtempSync(join(tmpdir(), "kerb-shared-test-"));
const places = () => ({ first: site.directory, second: machine.directory });

type NodeName = "first" | "second";

/** It begins at `node`, and may go on at the other. */
const virtualMachine = (node: NodeName) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { name: "guest" },
  spec: {
    runStrategy: "Always",
    template: {
      metadata: { labels: { app: "guest" } },
      spec: {
        terminationGracePeriodSeconds: 0,
        domain: {
          memory: { guest: "112Mi" },
          firmware: {
            kernelBoot: {
              kernelArgs: `${guestArgs} run=judge-write`,
              container: {
                image: guestImage,
                kernelPath: guestPaths.kernel,
                initrdPath: guestPaths.initrd,
              },
            },
          },
          devices: {
            disks: [{ name: "data", disk: { bus: "virtio" } }],
            interfaces: [{ name: "default", masquerade: {} }],
          },
        },
        networks: [{ name: "default", pod: {} }],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
        affinity: {
          nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [near(node)] },
        },
      },
    },
  },
});

const near = (node: NodeName) => ({
  weight: 100,
  preference: {
    matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }],
  },
});

/** Both nodes have it, as they have a file system. */
const shared = (path: string) => [
  {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "data" },
    spec: {
      capacity: { storage: "4Mi" },
      accessModes: ["ReadWriteMany"],
      storageClassName: "",
      hostPath: { path },
    },
  },
  {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data" },
    spec: {
      accessModes: ["ReadWriteMany"],
      storageClassName: "",
      volumeName: "data",
      resources: { requests: { storage: "4Mi" } },
    },
  },
];

const slowly = {
  apiVersion: "migrations.kubevirt.io/v1alpha1",
  kind: "MigrationPolicy",
  metadata: { name: "slowly" },
  spec: {
    selectors: { virtualMachineInstanceSelector: { app: "guest" } },
    allowPostCopy: true,
  },
};

/** The kernel is everybody's: another that had it so for its time may have ended meanwhile. */
const permitPostCopy = () => writeFileSync(permission, "1");

before(async () => {
  await machine.start();
  site = await startSite("--vms", "--name", "first", "--listen", machine.hostAddress);
  const words = /kerb join (.*)/.exec(await site.kerb("token", "create"))![1]!.split(" ");
  await machine.join(...words, "--name", "second", "--vms");
  const archive = join(site.directory, "guest.tar");
  writeFileSync(archive, guestArchive());
  await site.kerb("image", "import", archive);
  await machine.kerb("image", "import", archive);
  chmodSync(sharedFolder, 0o755);
  for (const one of shared(sharedFolder)) await site.apply(JSON.stringify(one));
  await site.apply(JSON.stringify(slowly));
});
after(async () => {
  writeFileSync(permission, permitted);
  await machine.remove();
  await site.remove();
  rmSync(sharedFolder, { recursive: true });
});

const vmi = () => site.get("vmi", "guest");

/** Its pod's, the one that runs. */
async function said() {
  const { items } = await site.get("pods", "-l", "app=guest");
  const { nodeName } = (await vmi()).status;
  const pod = items.find((one: any) => one.spec.nodeName === nodeName);
  return site.kubectl(["logs", pod.metadata.name]);
}

/** Another than `uid`, that looks after its memory and has written to its disk. */
async function isUp(uid?: string) {
  return untilGuest(async () => {
    const found = await vmi();
    const now = await said();
    return found.metadata.uid !== uid && rounds(now) > 0 && written(now).length > 0 && found;
  }, "the guest");
}

/** Another one for each test, whatever became of the one before. */
async function newGuest(node: NodeName = "first") {
  await machine.plug(true);
  await site.kubectl(["delete", "vm,vmim", "--all"]);
  await untilGuest(async () => {
    const { items } = await site.get("vmi,pods", "-l", "app=guest");
    return items.length === 0;
  }, "the end of the guest before");
  await site.apply(JSON.stringify(virtualMachine(node)));
  const { metadata, status } = await isUp();
  assert.equal(status.nodeName, node);
  uid = metadata.uid;
}

let moves = 0;

const hasSaid = (pod: string) =>
  untilGuest(
    async () => written(await site.kubectl(["logs", pod])).length > 0,
    "a word from there",
  );

/** Resolves once the guest is on its way: its memory is sent, or it runs at the other node and is still fetching. */
async function halfWay(mode: "PreCopy" | "PostCopy" = "PostCopy") {
  const name = `move-${++moves}`;
  permitPostCopy();
  await site.apply(JSON.stringify({ ...slowly, spec: { ...slowly.spec, ...timesOf[mode] } }));
  const migration = {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachineInstanceMigration",
    metadata: { name },
    spec: { vmiName: "guest" },
  };
  await site.apply(JSON.stringify(migration));
  const { move, state } = await untilGuest(async () => {
    const move = await site.get("vmim", name);
    const state = (await vmi()).status.migrationState ?? {};
    if (["Failed", "Succeeded"].includes(move.status?.phase)) return { move, state };
    if (state.migrationUid !== move.metadata.uid || state.completed) return undefined;
    return move.status.phase === "Running" && state.mode === mode && { move, state };
  }, mode);
  assert.equal(move.status.phase, "Running", JSON.stringify(move.status));
  // Before its first step there it can be saved by nobody.
  if (mode === "PostCopy") await hasSaid(state.targetPod);
  const { sourceNode, targetNode } = state as Record<string, NodeName>;
  return { name, source: sourceNode!, target: targetNode! };
}

/** All of its memory before it goes on, or as soon as it may; it takes some ten seconds. */
const timesOf = {
  PreCopy: { completionTimeoutPerGiB: 900, bandwidthPerMigration: "6Mi" },
  PostCopy: { completionTimeoutPerGiB: 1, bandwidthPerMigration: "2Mi" },
};

const endOf = (name: string) =>
  untilGuest(async () => {
    const { phase, ...status } = (await site.get("vmim", name)).status;
    return (
      ["Succeeded", "Failed"].includes(phase) && {
        phase,
        why: status.migrationState?.failureReason,
      }
    );
  }, "its end");

const succeeded = { phase: "Succeeded", why: undefined };
const numbers = (text: string, words: RegExp) =>
  [...text.matchAll(words)].map(([, number]) => Number(number));
const rounds = (text: string) => numbers(text, /GUEST memory holds (\d+)/g).length;
const written = (text: string) => numbers(text, /GUEST wrote (\d+)/g);

/** It goes on where it is, without a byte of its memory lost, and writes to its disk. */
async function goesOn() {
  const before = await said();
  await untilGuest(async () => {
    const now = await said();
    return rounds(now) > rounds(before) && written(now).length > written(before).length;
  }, "its next words");
  assert.doesNotMatch(await said(), /GUEST memory lost/);
}

/** With what it had written. */
async function startedAnew(last: number) {
  await isUp(uid);
  const [found] = numbers(await said(), /GUEST found (\d+)/g);
  assert.ok(found! >= last, `${found} after ${last}`);
  await goesOn();
  await oneRuns();
}

const oneRuns = () =>
  eventually(async () => {
    const all = Object.values(places()).flatMap((place) => qemusOf("default_guest", place));
    return all.length === 1;
  }, "a single QEMU");

const kerbs = {
  first: {
    kill: async () => process.kill(site.pid, "SIGKILL"),
    up: () => site.up("--vms", "--listen", machine.hostAddress),
  },
  second: { kill: () => machine.kill(), up: () => machine.join("--vms") },
};

async function restartKerb(...nodes: NodeName[]) {
  for (const node of nodes) await kerbs[node].kill();
  for (const node of nodes.toSorted()) await kerbs[node].up();
}

async function sameArrives(name: string) {
  assert.deepEqual(await endOf(name), succeeded);
  assert.equal((await vmi()).metadata.uid, uid);
  await goesOn();
  await oneRuns();
}

for (const mode of ["PreCopy", "PostCopy"] as const) {
  for (const ends of [["source", "target"], ["source"], ["target"]] as const) {
    test(`Kerb is killed at the ${ends.join(" and the ")} in ${mode}, and the guest arrives`, async () => {
      await newGuest();
      const move = await halfWay(mode);
      await restartKerb(...ends.map((end) => move[end]));
      await sameArrives(move.name);
    });
  }
}

for (const node of ["first", "second"] as const) {
  test(`the nodes lose each other after the guest went on from the ${node}, and it arrives once they are back`, async () => {
    await newGuest(node);
    const { name } = await halfWay();
    await machine.plug(false);
    await eventually(async () => {
      const ofGuest = `--field-selector=involvedObject.uid=${uid}`;
      const { items } = await site.get("events", ofGuest);
      return items.some(({ reason }: any) => reason === "MigrationInterrupted");
    }, "it is told");
    await machine.plug(true);
    await sameArrives(name);
  });
}

for (const mode of ["PreCopy", "PostCopy"] as const) {
  const where = mode === "PreCopy" ? "is" : "went on";
  test(`a migration that is deleted in ${mode} leaves the guest where it ${where}`, async () => {
    await newGuest();
    const { name, source, target } = await halfWay(mode);
    await site.kubectl(["delete", "vmim", name]);
    const now = await vmi();
    assert.equal(now.metadata.uid, uid);
    assert.equal(now.status.nodeName, mode === "PreCopy" ? source : target);
    await goesOn();
    await oneRuns();
  });
}

for (const end of ["target", "source"] as const) {
  test(`the QEMU of the ${end} is killed after the guest went on, and the machine starts anew, once`, async () => {
    await newGuest();
    const last = Math.max(...written(await said()));
    const move = await halfWay();
    for (const pid of qemusOf("default_guest", places()[move[end]])) process.kill(pid, "SIGKILL");
    assert.equal((await endOf(move.name)).phase, "Failed");
    await startedAnew(last);
  });
}
