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
/** Of neither node's, as a QEMU is known by the folder of its node. */
const sharedFolder = mkdtempSync(join(tmpdir(), "kerb-shared-test-"));
const places = () => ({ first: site.directory, second: machine.directory });

const virtualMachine = {
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
      },
    },
  },
};

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

before(async () => {
  writeFileSync(permission, "1");
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
  await site.apply(JSON.stringify(virtualMachine));
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

async function isUp(uid?: string) {
  return untilGuest(async () => {
    const found = await vmi();
    const isOther = uid === undefined || found.metadata.uid !== uid;
    return isOther && /GUEST memory holds 1/.test(await said()) && found;
  }, "the guest");
}

let moves = 0;

/** Resolves once the guest is on its way: its memory is sent, or it runs at the other node and is still fetching. */
async function halfWay(mode: "PreCopy" | "PostCopy" = "PostCopy") {
  const name = `move-${++moves}`;
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
  const { sourceNode, targetNode } = state as Record<string, "first" | "second">;
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
async function startedAnew(uid: string, last: number) {
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

async function restartKerb(...nodes: ("first" | "second")[]) {
  for (const node of nodes) await kerbs[node].kill();
  for (const node of nodes.toSorted()) await kerbs[node].up();
}

async function sameArrives(name: string, uid: string) {
  assert.deepEqual(await endOf(name), succeeded);
  assert.equal((await vmi()).metadata.uid, uid);
  await goesOn();
  await oneRuns();
}

for (const mode of ["PreCopy", "PostCopy"] as const) {
  test(`Kerb is killed at both nodes, then at either, in ${mode}, and the guest arrives`, async () => {
    const { uid } = (await isUp()).metadata;
    for (const ends of [["source", "target"], ["source"], ["target"]] as const) {
      const move = await halfWay(mode);
      await restartKerb(...ends.map((end) => move[end]));
      await sameArrives(move.name, uid);
    }
  });
}

test("the nodes lose each other after the guest went on, and it arrives once they are back", async () => {
  const { uid } = (await vmi()).metadata;
  const { name } = await halfWay();
  await machine.plug(false);
  await eventually(async () => {
    const events = await site.kubectl(["get", "events", "-o", "jsonpath={.items[*].reason}"]);
    return events.includes("MigrationInterrupted");
  }, "it is told");
  await machine.plug(true);
  await sameArrives(name, uid);
});

test("a migration that is deleted leaves the guest where it is, or where it went on", async () => {
  const { uid } = (await vmi()).metadata;
  for (const mode of ["PreCopy", "PostCopy"] as const) {
    const { name, source, target } = await halfWay(mode);
    await site.kubectl(["delete", "vmim", name]);
    const now = await vmi();
    assert.equal(now.metadata.uid, uid);
    assert.equal(now.status.nodeName, mode === "PreCopy" ? source : target);
    await goesOn();
    await oneRuns();
  }
});

for (const end of ["target", "source"] as const) {
  test(`the QEMU of the ${end} is killed after the guest went on, and the machine starts anew, once`, async () => {
    const { uid } = (await vmi()).metadata;
    const move = await halfWay();
    const last = Math.max(...written(await said()));
    for (const pid of qemusOf("default_guest", places()[move[end]])) process.kill(pid, "SIGKILL");
    assert.equal((await endOf(move.name)).phase, "Failed");
    await startedAnew(uid, last);
  });
}
