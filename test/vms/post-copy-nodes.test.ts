// What becomes of a guest that goes on at another node before its memory is there, when Kerb or the QEMU there ends
// meanwhile. The kernel lets QEMU only where it is told so, which this file does for its time.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
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
              kernelArgs: `${guestArgs} run=judge`,
              container: {
                image: guestImage,
                kernelPath: guestPaths.kernel,
                initrdPath: guestPaths.initrd,
              },
            },
          },
          devices: { interfaces: [{ name: "default", masquerade: {} }] },
        },
        networks: [{ name: "default", pod: {} }],
      },
    },
  },
};

/** Its memory takes some ten seconds. */
const slowly = {
  apiVersion: "migrations.kubevirt.io/v1alpha1",
  kind: "MigrationPolicy",
  metadata: { name: "slowly" },
  spec: {
    selectors: { virtualMachineInstanceSelector: { app: "guest" } },
    ...{ allowPostCopy: true, completionTimeoutPerGiB: 1, bandwidthPerMigration: "2Mi" },
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
  await site.apply(JSON.stringify(slowly));
  await site.apply(JSON.stringify(virtualMachine));
});
after(async () => {
  writeFileSync(permission, permitted);
  await machine.remove();
  await site.remove();
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

/** Resolves once the guest runs at the other node and is still fetching. */
async function halfWay() {
  const name = `move-${++moves}`;
  await site.apply(
    JSON.stringify({
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachineInstanceMigration",
      metadata: { name },
      spec: { vmiName: "guest" },
    }),
  );
  const { status } = await untilGuest(async () => {
    const found = await vmi();
    const move = await site.get("vmim", name);
    assert.notEqual(move.status?.phase, "Failed", JSON.stringify(move.status));
    assert.notEqual(move.status?.phase, "Succeeded", "it was too fast");
    const isOurs = found.status.migrationState?.migrationUid === move.metadata.uid;
    return (
      isOurs &&
      found.status.migrationState.mode === "PostCopy" &&
      !found.status.migrationState.completed &&
      found
    );
  }, "post-copy");
  const { targetNode } = status.migrationState as Record<string, "first" | "second">;
  return { name, target: places()[targetNode!] };
}

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

/** It goes on where it is, without a byte of its memory lost. */
async function goesOn() {
  const rounds = (text: string) => text.match(/GUEST memory holds/g)?.length ?? 0;
  const before = rounds(await said());
  await untilGuest(async () => rounds(await said()) > before, "its next words");
  assert.doesNotMatch(await said(), /GUEST memory lost/);
}

const oneRuns = () =>
  eventually(async () => {
    const all = Object.values(places()).flatMap((place) => qemusOf("default_guest", place));
    return all.length === 1;
  }, "a single QEMU");

test("Kerb is killed at both nodes, and the guest arrives", async () => {
  const { uid } = (await isUp()).metadata;
  const { name } = await halfWay();
  process.kill(site.pid, "SIGKILL");
  await machine.kill();
  await site.up("--vms", "--listen", machine.hostAddress);
  await machine.join("--vms");
  assert.deepEqual(await endOf(name), { phase: "Succeeded", why: undefined });
  assert.equal((await vmi()).metadata.uid, uid);
  await goesOn();
  await oneRuns();
});

test("the QEMU of the target is killed, and the machine starts anew, once", async () => {
  const { uid } = (await vmi()).metadata;
  const { name, target } = await halfWay();
  for (const pid of qemusOf("default_guest", target)) process.kill(pid, "SIGKILL");
  assert.equal((await endOf(name)).phase, "Failed");
  await isUp(uid);
  await goesOn();
  await oneRuns();
});
