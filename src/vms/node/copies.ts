// The copies of a VM's disk on other nodes, from the writer's side: QEMU mirrors each write before it acknowledges it.
// While a copy is away, writes wait; they go on without it only when it is let go, which is recorded before.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { inTurn } from "../../lib/in-turn.ts";
import type { InTurn } from "../../lib/in-turn.ts";
import { sleep } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { CopyAttachment, CopyLink, CopyView } from "../control.ts";
import { replicaPort } from "../replication/replica-pod.ts";
import { blockNode } from "../qemu/disk-arguments.ts";
import { dropLayers, freeNode, mirrorNode } from "./copy-layers.ts";
import { jobs } from "./jobs.ts";
import type { Job } from "./jobs.ts";
import { sharedKey } from "./shared-key.ts";
import type { Vm } from "./vm.ts";

const jobsOf = (volume: string) => `copy-${blockNode(volume)}-`;
const jobOf = (volume: string, node: string) => `${jobsOf(volume)}${node}`;
const copyNode = (volume: string, node: string) => blockNode(`copy of ${volume} on ${node}`);
const linkNode = (volume: string, node: string) => blockNode(`link to ${volume} on ${node}`);
const keyOf = (volume: string, node: string) => `tls-${copyNode(volume, node)}`;

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
export async function view(
  vm: Vm,
  volume: string,
  hosts: Record<string, string>,
): Promise<CopyView> {
  const { clock, scope } = vm.options;
  const seen = look(vm, volume, hosts);
  seen.catch(() => {});
  const late = sleep(clock, lookMsMax, scope.signal).then(() => undefined);
  const answer = await Promise.race([seen, late]);
  if (answer) return answer;
  const links = await eachOf(hosts, async (_, host): Promise<CopyLink> => {
    return (await isThere(host, clock)) ? "unknown" : "silent";
  });
  if (Object.values(links).includes("silent")) return { isReleased: !isHeld(vm), bytes: 0, links };
  throw new StatusError("Timeout", "QEMU does not answer");
}

async function eachOf<T>(
  hosts: Record<string, string>,
  find: (node: string, host: string) => Promise<T>,
): Promise<Record<string, T>> {
  const entries = Object.entries(hosts);
  return Object.fromEntries(
    await Promise.all(entries.map(async ([node, host]) => [node, await find(node, host)] as const)),
  );
}

/** A job that is held for a moment is what it was. */
const isWhole = ({ status, error }: Job) => !error && ["ready", "standby"].includes(status);

async function look(vm: Vm, volume: string, hosts: Record<string, string>): Promise<CopyView> {
  const nodes = await blockNodes(vm);
  const disk = nodes.find((one) => one["node-name"] === blockNode(volume));
  if (!disk) throw new StatusError("NotFound", `there is no disk ${volume}`);
  const all = await jobs(vm);
  const links = await eachOf(hosts, async (node, host): Promise<CopyLink> => {
    const job = all.find(({ id }) => id === jobOf(volume, node));
    const isLinked = nodes.some((one) => one["node-name"] === copyNode(volume, node));
    if (!job) return isLinked ? "broken" : "none";
    if (job.error || job.status === "concluded") return "broken";
    // Where nothing waits for the copy nobody needs to know.
    const waits = job["current-progress"] < job["total-progress"];
    if (waits && !(await isThere(host, vm.options.clock))) return "silent";
    return isWhole(job) ? "alike" : "syncing";
  });
  return {
    ...{ isReleased: !isHeld(vm), bytes: disk.image["virtual-size"] as number, links },
    ...(switching.has(vm) && { isSwitching: true as const }),
    ...(waitedBy(vm).includes(volume) && { isWaiting: true as const }),
  };
}

/** What is done to the links of a VM's disks, one after another. */
const turns = new WeakMap<Vm, InTurn>();

function turnOf(vm: Vm): InTurn {
  const known = turns.get(vm) ?? inTurn();
  turns.set(vm, known);
  return known;
}

export async function attach(vm: Vm, volume: string, target: CopyAttachment) {
  await detach(vm, volume, [target.node]);
  linking.add(vm);
  try {
    await turnOf(vm)(() => link(vm, volume, target));
  } finally {
    linking.delete(vm);
  }
}

/** VMs whose disks are just being linked to their copies. */
const linking = new WeakSet<Vm>();

async function link(
  vm: Vm,
  volume: string,
  { node, host, port, name, key, sync }: CopyAttachment,
) {
  const { run, inside, clock } = vm.options;
  if (sync === "none" && !isHeld(vm)) {
    throw new StatusError("Conflict", "the guest has written since the copies were the same");
  }
  // QEMU stands still while it dials.
  if (!(await isThere(host, clock))) throw new StatusError("ServiceUnavailable", "no copy there");
  const id = keyOf(volume, node);
  const credentials = { run, inside, id, key, endpoint: "client" as const };
  await vm.qmp.execute("object-add", await sharedKey(credentials));
  try {
    await vm.qmp.execute("blockdev-add", {
      driver: "raw",
      "node-name": copyNode(volume, node),
      file: {
        driver: "nbd",
        "node-name": linkNode(volume, node),
        server: { type: "inet", host, port: String(port) },
        export: name,
        "tls-creds": id,
        "reconnect-delay": waitSeconds,
      },
    });
    lettingGo.get(vm)?.delete(jobOf(volume, node));
    await vm.qmp.execute("blockdev-mirror", {
      "job-id": jobOf(volume, node),
      device: await freeNode(vm, volume),
      target: copyNode(volume, node),
      "filter-node-name": mirrorNode(volume, node),
      ...{ sync, "copy-mode": "write-blocking" },
      ...{ "on-target-error": "report", "auto-dismiss": false },
    });
  } catch (error) {
    await letGo(vm, volume, [node]);
    throw error;
  }
}

/** Jobs whose end is wanted. */
const lettingGo = new WeakMap<Vm, Set<string>>();

/** Writes that waited for these copies are acknowledged by this. Whatever else waits for them goes on first. */
export async function detach(vm: Vm, volume: string, nodes: string[]) {
  const ends = lettingGo.get(vm) ?? new Set();
  lettingGo.set(vm, ends);
  for (const node of nodes) {
    ends.add(jobOf(volume, node));
    const link = { type: "block-node", "node-name": linkNode(volume, node) };
    await vm.urgent.urge("yank", { instances: [link] }).catch(() => {});
  }
  await turnOf(vm)(() => letGo(vm, volume, nodes));
}

async function letGo(vm: Vm, volume: string, nodes: string[]) {
  for (const node of nodes) {
    const id = jobOf(volume, node);
    const job = (await jobs(vm)).find((one) => one.id === id);
    if (job && job.status !== "concluded") {
      await vm.qmp.execute("block-job-cancel", { device: id, force: true }).catch(() => {});
      await concluded(vm, id);
    }
    if (job) await vm.qmp.execute("job-dismiss", { id }).catch(() => {});
    const name = copyNode(volume, node);
    const there = (await blockNodes(vm)).some((one) => one["node-name"] === name);
    if (there) await vm.qmp.execute("blockdev-del", { "node-name": name });
    await vm.qmp.execute("object-del", { id: keyOf(volume, node) }).catch(() => {});
  }
  await dropLayers(vm, volume);
  const left = (await jobs(vm)).filter(({ id }) => id.startsWith(jobsOf(volume)));
  if (left.some(({ error }) => error)) return;
  const waited = waitedBy(vm);
  const others = waited.filter((one) => one !== volume);
  if (others.length === waited.length) return;
  noteWaited(vm, others);
  if (others.length === 0) await vm.qmp.execute("cont");
}

/** Why a guest stands still whose copy failed: nothing is acknowledged before that is recorded. */
const copyFailed = "a copy of a disk failed";

const waitedFile = ({ options }: Vm) => join(options.notes, "waited");

/** Disks that such a guest waits for; Kerb knows it after a restart, too. */
function waitedBy(vm: Vm): string[] {
  const file = waitedFile(vm);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
}

function noteWaited(vm: Vm, volumes: string[]) {
  if (volumes.length === 0) rmSync(waitedFile(vm), { force: true });
  else writeFileSync(waitedFile(vm), JSON.stringify(volumes));
}

function standStill(vm: Vm, volumes: string[]) {
  noteWaited(vm, [...new Set([...waitedBy(vm), ...volumes])]);
  vm.stopReason = copyFailed;
  void vm.qmp.execute("stop").catch(() => {});
}

/** Lets the guest stand still as soon as a copy fails. */
export function mindCopies(vm: Vm) {
  if (waitedBy(vm).length > 0) vm.stopReason = copyFailed;
  vm.onEvent(({ event, data }) => {
    if (event === "RESUME") {
      // QEMU itself lets a guest go on whose move failed, after its copies were let go; people may, too.
      const waited = switching.has(vm) ? replicatedDisks(vm) : waitedBy(vm);
      if (waited.length > 0) standStill(vm, waited);
      return;
    }
    const id = String(data?.device);
    if (event !== "BLOCK_JOB_ERROR" || lettingGo.get(vm)?.has(id)) return;
    const volume = replicatedDisks(vm).find((one) => id.startsWith(jobsOf(one)));
    if (volume && vm.status === "running") standStill(vm, [volume]);
  });
}

/** VMs that stand still and move, whose copies were let go as they were the same. */
const switching = new WeakSet<Vm>();

/** Of a guest that stands still to go on elsewhere: whatever it wrote is in all copies, and nobody writes any more. */
export async function letGoWhole(vm: Vm) {
  const volumes = replicatedDisks(vm);
  const all = await jobs(vm);
  const copiesOf = (volume: string) => all.filter(({ id }) => id.startsWith(jobsOf(volume)));
  for (const volume of volumes) {
    const copies = copiesOf(volume);
    if (copies.length > 0 && copies.every(isWhole)) continue;
    throw new StatusError("Conflict", `the copies of ${volume} do not have all`);
  }
  if (volumes.length > 0) switching.add(vm);
  for (const volume of volumes) {
    for (const { id: device } of copiesOf(volume)) {
      const node = device.slice(jobsOf(volume).length);
      await vm.qmp.execute("block-job-cancel", { device, force: false });
      await concluded(vm, device);
      const job = (await jobs(vm)).find(({ id }) => id === device);
      if (job?.error) throw new StatusError("Conflict", `the copy of ${volume}: ${job.error}`);
      await vm.qmp.execute("job-dismiss", { id: device });
      await vm.qmp.execute("blockdev-del", { "node-name": copyNode(volume, node) });
      await vm.qmp.execute("object-del", { id: keyOf(volume, node) }).catch(() => {});
    }
    await dropLayers(vm, volume);
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
