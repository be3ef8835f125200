// Live migration, both ends: memory over one connection of QEMU's own, disks that are not shared mirrored before
// it over another (NBD), both by TLS with a key that this migration alone has.
import { randomBytes } from "node:crypto";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StatusError } from "../../lib/status-error.ts";
import type { MigrationOptions, MigrationProgress, MigrationTarget } from "../control.ts";
import { qemuUser } from "../domain.ts";
import { migrationPorts } from "../prepare/network-plan.ts";
import { blockNode } from "../qemu/disk-arguments.ts";
import { counted } from "./counted.ts";
import { jobs, untilJob } from "./jobs.ts";
import { allowPostCopy, goOnAfter, phaseLeft, tryPostCopy } from "./post-copy.ts";
import { replicatedDisks } from "./replication/names.ts";
import { letGoWhole, stays } from "./replication/switch.ts";
import type { Vm } from "./vm.ts";

const keyUser = "kerb";
const bandwidthDefault = 64 * 2 ** 20;
/** How long the guest may stand still: little at first, more for one that changes its memory faster than it is sent. */
const downtimeMs = { first: 20, max: 300 } as const;
const patienceMs = 2000;
/** Whoever waits for the next phase is answered by then. */
const answerMsMax = 1000;
const mirrorJob = (volume: string) => `mirror-${blockNode(volume)}`;

/** What is remembered of a migration that leaves from here, beside what QEMU knows. */
interface Leaving {
  phase: MigrationProgress["phase"];
  error?: string;
  /** Why it was given up, once it was. */
  late?: string;
  copy: string[];
  key: string;
  /** Its mirrors are let go; until then no other migration begins, whose mirrors have the same names. */
  ended?: Promise<void>;
  /** Told of the next phase. */
  waiting: Set<() => void>;
}

const leaving = new WeakMap<Vm, Leaving>();

function enter(state: Leaving, phase: Leaving["phase"]) {
  state.phase = phase;
  for (const tell of state.waiting) tell();
  state.waiting.clear();
}

/** QEMU reads the key from a file of its own folder. */
async function useKey(vm: Vm, key: string, endpoint: "client" | "server") {
  const name = `tls-${endpoint}`;
  const folder = join(vm.options.run, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "keys.psk");
  await writeFile(file, `${keyUser}:${key}\n`, { mode: 0o600 });
  for (const path of [folder, file]) await chown(path, qemuUser, qemuUser);
  await vm.qmp.execute("object-del", { id: name }).catch(() => {});
  await vm.qmp.execute("object-add", {
    "qom-type": "tls-creds-psk",
    id: name,
    dir: join(vm.options.inside, name),
    endpoint,
    ...(endpoint === "client" && { username: keyUser }),
  });
  return name;
}

const capabilities = (names: Record<string, boolean>) => ({
  capabilities: Object.entries(names).map(([capability, state]) => ({ capability, state })),
});

/** Asked again, when the first answer was lost, it is the same. */
const prepared = new WeakMap<Vm, Promise<MigrationTarget>>();

export function prepare(vm: Vm, copy: string[], postCopy = false): Promise<MigrationTarget> {
  const known = prepared.get(vm);
  if (known) return known;
  const begun = open(vm, copy, postCopy);
  prepared.set(vm, begun);
  begun.catch(() => prepared.delete(vm));
  return begun;
}

async function open(vm: Vm, copy: string[], wantsPostCopy: boolean): Promise<MigrationTarget> {
  if (vm.status !== "inmigrate") {
    throw new StatusError("Conflict", `VMI ${vm.domain.name} does not wait for a migration`);
  }
  const { listen = "0.0.0.0" } = vm.options;
  const key = randomBytes(32).toString("hex");
  const tls = await useKey(vm, key, "server");
  const { memory, disks } = migrationPorts;
  if (copy.length > 0) {
    await vm.qmp.execute("nbd-server-start", {
      addr: { type: "inet", data: { host: listen, port: String(disks) } },
      "tls-creds": tls,
    });
    for (const name of copy) {
      await vm.qmp.execute("block-export-add", {
        type: "nbd",
        id: `export-${blockNode(name)}`,
        "node-name": blockNode(name),
        name: blockNode(name),
        writable: true,
      });
    }
  }
  await vm.qmp.execute("migrate-set-parameters", { "tls-creds": tls });
  const postCopy = wantsPostCopy ? await tryPostCopy(vm) : undefined;
  await vm.qmp.execute("migrate-incoming", { uri: `tcp:${listen}:${memory}` });
  // Once the guest runs here, nobody writes to its disks but it.
  const stop = vm.onEvent(({ event }) => {
    if (event !== "RESUME") return;
    stop();
    if (copy.length > 0) vm.tell("nbd-server-stop");
  });
  const host = vm.addresses[0] ?? listen;
  const more = { ...(copy.length > 0 && { nbdPort: disks }), ...(postCopy && { postCopy }) };
  return { host, port: memory, key, ...more };
}

async function mirrorDisks(vm: Vm, { host, nbdPort }: MigrationTarget, options: Mirroring) {
  for (const name of options.copy) {
    const target = blockNode(`mirror of ${name}`);
    await vm.qmp.execute("blockdev-add", {
      driver: "raw",
      "node-name": target,
      file: {
        driver: "nbd",
        server: { type: "inet", host, port: String(nbdPort) },
        export: blockNode(name),
        "tls-creds": options.tls,
      },
    });
    await vm.qmp.execute("blockdev-mirror", {
      "job-id": mirrorJob(name),
      device: blockNode(name),
      target,
      sync: "full",
      "copy-mode": "write-blocking",
      "auto-dismiss": false,
      speed: options.speed,
    });
  }
  for (const name of options.copy) await untilJob(vm, mirrorJob(name), ["ready"]);
}

interface Mirroring {
  copy: string[];
  tls: string;
  speed: number;
}

/** Lets the mirrors go without the last word: the target has all that was written before the guest stopped. */
async function endMirrors(vm: Vm, copy: string[], force: boolean) {
  for (const name of copy) {
    await vm.qmp.execute("block-job-cancel", { device: mirrorJob(name), force }).catch(() => {});
    await untilJob(vm, mirrorJob(name), ["concluded"]).catch(() => {});
    await vm.qmp.execute("job-dismiss", { id: mirrorJob(name) }).catch(() => {});
    const node = { "node-name": blockNode(`mirror of ${name}`) };
    await vm.qmp.execute("blockdev-del", node).catch(() => {});
  }
}

/** Of a migration that came to nothing; asked twice, it is done once. */
const letGo = (vm: Vm, state: Leaving) => (state.ended ??= endMirrors(vm, state.copy, true));

/** The last: its connection broke. */
const endings = ["completed", "failed", "cancelled", "postcopy-paused"];

/** Follows the memory's way until it is there or not. */
function untilMoved(vm: Vm, state: Leaving): Promise<void> {
  const { copy } = state;
  return new Promise((resolve, reject) => {
    const { signal } = vm.options.scope;
    const gone = () => reject(new StatusError("Conflict", "QEMU ended while its guest moved"));
    signal.addEventListener("abort", gone, { once: true });
    const stop = vm.onEvent(({ event, data }) => {
      if (event === "MIGRATION" && data.status === "pre-switchover") {
        void endMirrors(vm, copy, false)
          .then(() => letGoWhole(vm))
          .then(() => vm.qmp.execute("migrate-continue", { state: "pre-switchover" }))
          .catch(() => vm.tell("migrate_cancel"));
      }
      if (event === "MIGRATION" && data.status === "postcopy-active") enter(state, "post-copy");
      if (event !== "MIGRATION" || !endings.includes(data.status)) return;
      stop();
      signal.removeEventListener("abort", gone);
      if (data.status === "completed") resolve();
      else reject(new StatusError("InternalError", `the migration ${data.status}`));
    });
  });
}

/** Until it is stopped. */
function growPatient(vm: Vm) {
  let limit: number = downtimeMs.first;
  return vm.options.clock.every(patienceMs, () => {
    limit = Math.min(limit * 2, downtimeMs.max);
    vm.tell("migrate-set-parameters", { "downtime-limit": limit });
  });
}

/** Once the memory is on its way; to be stopped. */
function endAfter(vm: Vm, state: Leaving, { abortAfterMs }: MigrationOptions) {
  if (abortAfterMs === undefined) return () => {};
  return vm.options.clock.after(abortAfterMs, () => {
    const seconds = Math.round(abortAfterMs / 1000);
    state.late = `Live migration is not completed after ${seconds} seconds and has been aborted`;
    vm.tell("migrate_cancel");
  });
}

/** After a migration that failed, unless somebody paused the guest. */
async function goOn(vm: Vm) {
  const { status } = await vm.qmp.execute("query-status");
  if (["finish-migrate", "postmigrate"].includes(status)) await vm.qmp.execute("cont");
}

/** Resolves once it has begun; `progress` tells the rest. */
export async function migrate(vm: Vm, target: MigrationTarget, options: MigrationOptions) {
  const { copy, autoConverge } = options;
  const speed = options.bandwidthBytesPerSecond ?? bandwidthDefault;
  const { key } = target;
  const phase = copy.length > 0 ? "copying disks" : "running";
  const state: Leaving = { phase, copy, key, waiting: new Set() };
  const copies = replicatedDisks(vm);
  if (copies.length > 0 && vm.status !== "running") {
    throw new StatusError("Conflict", `VMI ${vm.domain.name} is paused, and its copies stay`);
  }
  const before = leaving.get(vm);
  if (before && ["copying disks", "running", "post-copy"].includes(before.phase)) {
    if (before.key === key) return;
    throw new StatusError("Conflict", `VMI ${vm.domain.name} is migrating already`);
  }
  leaving.set(vm, state);
  const tls = await useKey(vm, key, "client").catch((error: unknown) => {
    leaving.delete(vm);
    throw error;
  });
  const run = async () => {
    await before?.ended;
    await mirrorDisks(vm, target, { copy, tls, speed });
    enter(state, "running");
    await vm.qmp.execute(
      "migrate-set-capabilities",
      capabilities({
        "pause-before-switchover": copy.length + copies.length > 0,
        "auto-converge": autoConverge,
        // The target says that it has all; else one that died meanwhile took the guest along.
        "return-path": true,
        events: true,
      }),
    );
    await vm.qmp.execute("migrate-set-parameters", {
      "tls-creds": tls,
      "tls-hostname": "",
      "max-bandwidth": speed,
      "downtime-limit": downtimeMs.first,
    });
    await allowPostCopy(vm, target, options);
    vm.migratedAway = true;
    const moved = untilMoved(vm, state);
    moved.catch(() => {});
    await vm.qmp.execute("migrate", { uri: `tcp:${target.host}:${target.port}` });
    const stops = [growPatient(vm), goOnAfter(vm, target, options), endAfter(vm, state, options)];
    await moved.finally(() => stops.forEach((stop) => stop()));
    enter(state, "completed");
  };
  run().catch(async (error: Error) => {
    state.error = state.late ?? error.message;
    // What it did since at the target is not known here: it does not go on.
    if (state.phase === "post-copy") return enter(state, "lost");
    vm.migratedAway = false;
    enter(state, state.phase === "cancelled" ? "cancelled" : "failed");
    await letGo(vm, state).catch(() => {});
    if (!stays(vm)) await goOn(vm).catch(() => {});
    vm.options.changed();
  });
}

const underWay = ["setup", "active", "pre-switchover", "device"];

/**
 * A migration that Kerb began before it was started anew, and whose guest is here still: nobody waits for the moment
 * when its mirrors end, so it would come to no end. The next one begins without what it left.
 */
async function giveUp(vm: Vm, status: string | undefined): Promise<Leaving | undefined> {
  const known = await jobs(vm).catch(() => []);
  const copy = vm.domain.disks
    .map(({ name }) => name)
    .filter((name) => known.some(({ id }) => id === mirrorJob(name)));
  if (copy.length === 0 && !underWay.includes(status ?? "")) return undefined;
  await vm.qmp.execute("migrate_cancel").catch(() => {});
  const error = "Kerb was started anew while the guest moved";
  const state: Leaving = { phase: "failed", copy, key: "", waiting: new Set(), error };
  leaving.set(vm, state);
  await letGo(vm, state);
  await goOn(vm);
  return state;
}

/** Answers at once, or when the phase is another than `known`. */
export async function progress(
  vm: Vm,
  known?: MigrationProgress["phase"],
): Promise<MigrationProgress> {
  let state = leaving.get(vm);
  if (known && state?.phase === known) await nextPhase(vm, state);
  const info = await counted(() => vm.qmp.execute("query-migrate")).catch(() => ({}));
  state ??= await giveUp(vm, info.status);
  const mirrors = state?.phase === "copying disks" ? await jobs(vm).catch(() => []) : [];
  const sum = (read: (job: any) => number) => mirrors.reduce((all, job) => all + read(job), 0);
  const disks = sum((job) => job["total-progress"]);
  const done = sum((job) => job["current-progress"]);
  return {
    phase: state?.phase ?? phaseLeft(info.status),
    transferredBytes: (info.ram?.transferred ?? 0) + done,
    remainingBytes: (info.ram?.remaining ?? 0) + disks - done,
    totalBytes: (info.ram?.total ?? 0) + disks,
    ...(info.downtime !== undefined && { downtimeMs: info.downtime }),
    ...(info["total-time"] !== undefined && { totalMs: info["total-time"] }),
    ...((state?.error ?? info["error-desc"]) && { error: state?.error ?? info["error-desc"] }),
  };
}

function nextPhase({ options: { clock } }: Vm, { waiting }: Leaving): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(answerMsMax, resolve);
    waiting.add(() => {
      cancel();
      resolve();
    });
  });
}

export async function cancel(vm: Vm) {
  const state = leaving.get(vm);
  if (!state || !["copying disks", "running"].includes(state.phase)) {
    const why = state?.phase === "post-copy" ? "runs elsewhere already" : "is not migrating";
    throw new StatusError("Conflict", `VMI ${vm.domain.name} ${why}`);
  }
  enter(state, "cancelled");
  await vm.qmp.execute("migrate_cancel");
  await letGo(vm, state);
}
