// The copy of a VM's disk on another node, from the writer's side: QEMU mirrors each write before it acknowledges it.
// While the other end is away, writes wait; they go on without it only when it is let go, which is recorded before.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { CopyTarget, CopyView } from "../control.ts";
import { replicaPort } from "../replication/replica-pod.ts";
import { blockNode } from "../qemu/disk-arguments.ts";
import { jobs } from "./jobs.ts";
import { sharedKey } from "./shared-key.ts";
import type { Vm } from "./vm.ts";

const jobOf = (volume: string) => `copy-${blockNode(volume)}`;
const copyNode = (volume: string) => blockNode(`copy of ${volume}`);
const linkNode = (volume: string) => blockNode(`link to the copy of ${volume}`);
const keyOf = (volume: string) => `tls-${copyNode(volume)}`;

/** Ten years: nothing but us lets a copy go. */
const waitSeconds = 315_360_000;
const greetingMsMax = 1500;
const greetingTries = 3;
const greeting = "NBDMAGIC";
/** Longer than all greetings are waited for. */
const lookMsMax = 6000;

/** Whether whoever serves the copy says something. */
function greets(host: string, clock: Vm["options"]["clock"]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: replicaPort });
    const end = (is: boolean) => {
      cancel();
      socket.destroy();
      resolve(is);
    };
    const cancel = clock.after(greetingMsMax, () => end(false));
    socket.once("data", (chunk) => end(chunk.toString("latin1").startsWith(greeting)));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}

async function isThere(host: string, clock: Vm["options"]["clock"]): Promise<boolean> {
  for (let tries = 0; tries < greetingTries; tries++) {
    if (await greets(host, clock)) return true;
  }
  return false;
}

const blockNodes = (vm: Vm): Promise<any[]> =>
  vm.qmp.execute("query-named-block-nodes", { flat: true });

const releasedFile = ({ options }: Vm) => join(options.notes, "released");

export const replicatedDisks = ({ domain }: Vm): string[] =>
  domain.disks.flatMap(({ name, source }) =>
    source.kind === "file" && source.replicated ? [name] : [],
  );

/** True while a VM with replicated disks must not run yet. */
export const isHeld = (vm: Vm): boolean =>
  replicatedDisks(vm).length > 0 && !existsSync(releasedFile(vm));

/** QEMU itself may wait for a copy, as when its guest is reset. */
export async function view(vm: Vm, volume: string, host: string | undefined): Promise<CopyView> {
  const { clock, scope } = vm.options;
  const seen = look(vm, volume, host);
  seen.catch(() => {});
  const late = sleep(clock, lookMsMax, scope.signal).then(() => undefined);
  const answer = await Promise.race([seen, late]);
  if (answer) return answer;
  if (host && (await isThere(host, clock)))
    throw new StatusError("Timeout", "QEMU does not answer");
  return { isReleased: !isHeld(vm), bytes: 0, link: "silent" };
}

async function look(vm: Vm, volume: string, host: string | undefined): Promise<CopyView> {
  const nodes = await blockNodes(vm);
  const disk = nodes.find((one) => one["node-name"] === blockNode(volume));
  if (!disk) throw new StatusError("NotFound", `there is no disk ${volume}`);
  const job = (await jobs(vm)).find(({ id }) => id === jobOf(volume));
  const isLinked = nodes.some((one) => one["node-name"] === copyNode(volume));
  const seen = {
    ...{ isReleased: !isHeld(vm), bytes: disk.image["virtual-size"] as number },
    ...(switching.has(vm) && { isSwitching: true as const }),
  };
  if (!job) return { ...seen, link: isLinked ? "broken" : "none" };
  if (job.error || job.status === "concluded") return { ...seen, link: "broken" };
  // Where nothing waits for the copy nobody needs to know.
  const waits = job["current-progress"] < job["total-progress"];
  if (waits && !(host && (await isThere(host, vm.options.clock)))) {
    return { ...seen, link: "silent" };
  }
  return { ...seen, link: job.status === "ready" ? "alike" : "syncing" };
}

export async function attach(
  vm: Vm,
  volume: string,
  { host, port, name, key, sync }: CopyTarget & { sync: "none" | "full" },
) {
  await detach(vm, volume);
  linking.add(vm);
  try {
    await link(vm, volume, { host, port, name, key, sync });
  } finally {
    linking.delete(vm);
  }
}

/** VMs whose disks are just being linked to their copies. */
const linking = new WeakSet<Vm>();

async function link(
  vm: Vm,
  volume: string,
  { host, port, name, key, sync }: CopyTarget & { sync: "none" | "full" },
) {
  const { run, inside, clock } = vm.options;
  if (sync === "none" && !isHeld(vm)) {
    throw new StatusError("Conflict", "the guest has written since the copies were the same");
  }
  // QEMU stands still while it dials.
  if (!(await isThere(host, clock))) throw new StatusError("ServiceUnavailable", "no copy there");
  const id = keyOf(volume);
  const credentials = { run, inside, id, key, endpoint: "client" as const };
  await vm.qmp.execute("object-add", await sharedKey(credentials));
  try {
    await vm.qmp.execute("blockdev-add", {
      driver: "raw",
      "node-name": copyNode(volume),
      file: {
        driver: "nbd",
        "node-name": linkNode(volume),
        server: { type: "inet", host, port: String(port) },
        export: name,
        "tls-creds": id,
        "reconnect-delay": waitSeconds,
      },
    });
    await vm.qmp.execute("blockdev-mirror", {
      "job-id": jobOf(volume),
      device: blockNode(volume),
      target: copyNode(volume),
      ...{ sync, "copy-mode": "write-blocking" },
      ...{ "on-target-error": "report", "auto-dismiss": false },
    });
  } catch (error) {
    await detach(vm, volume);
    throw error;
  }
}

/** Writes that waited for the copy are acknowledged by this. */
export async function detach(vm: Vm, volume: string) {
  const link = { type: "block-node", "node-name": linkNode(volume) };
  await vm.urgent.urge("yank", { instances: [link] }).catch(() => {});
  const job = (await jobs(vm)).find(({ id }) => id === jobOf(volume));
  if (job && job.status !== "concluded") {
    const device = jobOf(volume);
    await vm.qmp.execute("block-job-cancel", { device, force: true }).catch(() => {});
    await concluded(vm, device);
  }
  if (job) await vm.qmp.execute("job-dismiss", { id: jobOf(volume) }).catch(() => {});
  const there = (await blockNodes(vm)).some((one) => one["node-name"] === copyNode(volume));
  if (there) await vm.qmp.execute("blockdev-del", { "node-name": copyNode(volume) });
  await vm.qmp.execute("object-del", { id: keyOf(volume) }).catch(() => {});
  const others = cut.get(vm);
  others?.delete(volume);
  if (vm.stopReason === copyFailed && !others?.size) await vm.qmp.execute("cont");
}

/** Why a guest stands still whose copy failed: nothing is acknowledged before that is recorded. */
const copyFailed = "a copy of a disk failed";

/** Disks that such a guest waits for. */
const cut = new WeakMap<Vm, Set<string>>();

function standStill(vm: Vm, volumes: string[]) {
  const waited = cut.get(vm) ?? new Set();
  for (const volume of volumes) waited.add(volume);
  cut.set(vm, waited);
  vm.stopReason = copyFailed;
  void vm.qmp.execute("stop").catch(() => {});
}

/** Lets the guest stand still as soon as a copy fails. */
export function mindCopies(vm: Vm) {
  vm.onEvent(({ event, data }) => {
    if (event === "RESUME") {
      // QEMU itself lets a guest go on whose move failed, after its copies were let go; people may, too.
      const waited = switching.has(vm) ? replicatedDisks(vm) : [...(cut.get(vm) ?? [])];
      if (waited.length > 0) standStill(vm, waited);
      return;
    }
    if (event !== "BLOCK_JOB_ERROR") return;
    const volume = replicatedDisks(vm).find((one) => jobOf(one) === data?.device);
    if (volume && vm.status === "running") standStill(vm, [volume]);
  });
}

/** VMs that stand still and move, whose copies were let go as they were the same. */
const switching = new WeakSet<Vm>();

/** Of a guest that stands still to go on elsewhere: whatever it wrote is in both copies, and nobody writes any more. */
export async function letGoWhole(vm: Vm) {
  const volumes = replicatedDisks(vm);
  const all = await jobs(vm);
  for (const volume of volumes) {
    const job = all.find(({ id }) => id === jobOf(volume));
    if (job?.status === "ready" && !job.error) continue;
    throw new StatusError("Conflict", `the copy of ${volume} does not have all`);
  }
  if (volumes.length > 0) switching.add(vm);
  for (const volume of volumes) {
    const device = jobOf(volume);
    await vm.qmp.execute("block-job-cancel", { device, force: false });
    await concluded(vm, device);
    const job = (await jobs(vm)).find(({ id }) => id === device);
    if (job?.error) throw new StatusError("Conflict", `the copy of ${volume}: ${job.error}`);
    await vm.qmp.execute("job-dismiss", { id: device });
    await vm.qmp.execute("blockdev-del", { "node-name": copyNode(volume) });
    await vm.qmp.execute("object-del", { id: keyOf(volume) }).catch(() => {});
  }
}

/** It does not move after all. False where its copies were not let go, so that it may go on at once. */
export function stays(vm: Vm): boolean {
  if (!switching.delete(vm)) return false;
  standStill(vm, replicatedDisks(vm));
  return true;
}

/** QEMU says nothing of it by itself. */
export async function hasArrived(vm: Vm): Promise<boolean> {
  if (!vm.domain.incoming || !isHeld(vm)) return false;
  const { status } = await vm.qmp.execute("query-status");
  if (status === "inmigrate") return false;
  vm.status = "prelaunch";
  return true;
}

const pollMs = 50;
const concludedTries = 200;

async function concluded(vm: Vm, id: string) {
  for (let tries = 0; tries < concludedTries; tries++) {
    const job = (await jobs(vm)).find((one) => one.id === id);
    if (!job || job.status === "concluded") return;
    await new Promise<void>((resolve) => void vm.options.clock.after(pollMs, () => resolve()));
  }
  throw new StatusError("Timeout", "the copy is not let go");
}

/** Lets the guest run for the first time. */
export async function release(vm: Vm) {
  if (!isHeld(vm)) return;
  // A link that comes late must not miss a write.
  if (linking.has(vm)) throw new StatusError("Conflict", "its disks are being linked");
  await writeFile(releasedFile(vm), "");
  if (!vm.domain.startPaused) await vm.qmp.execute("cont");
  vm.options.changed();
}
