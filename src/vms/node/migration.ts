// Live migration from where a guest is: memory over one connection of QEMU's own, disks that are not shared mirrored
// before it over another (NBD), both by TLS with a key that this migration alone has. What is next is decided from the
// note and QEMU's own word (leaving-plan.ts), so it goes on when Kerb is started anew.
import { StatusError } from "../../lib/status-error.ts";
import type { MigrationOptions, MigrationProgress, MigrationTarget } from "../control.ts";
import { counted } from "./counted.ts";
import { jobs } from "./jobs.ts";
import { cancelRefusal, isAway, isLeaving, leavingStatus, nextStep } from "./leaving-plan.ts";
import type { Phase, Step } from "./leaving-plan.ts";
import { beginLeaving, enter, leavingOf, nextPhase } from "./leaving.ts";
import type { Leaving } from "./leaving.ts";
import { endMirrors, mirrorDisks, mirrorsAreWhole } from "./mirrors.ts";
import { allowPostCopy, goOnAfter, pauseWhenSilent } from "./post-copy.ts";
import { tryNewWay, wayBroke } from "./new-way.ts";
import { replicatedDisks } from "./replication/names.ts";
import { letGoWhole, stays } from "./replication/switch.ts";
import { sharedKey } from "./shared-key.ts";
import { isSwitching, noteSwitching } from "./switching.ts";
import type { Vm } from "./vm.ts";

const tls = "tls-client";
const bandwidthDefault = 64 * 2 ** 20;
/** How long the guest may stand still: little at first, more for one that changes its memory faster than it is sent. */
const downtimeMs = { first: 20, max: 300 } as const;
const patienceMs = 2000;

const capabilities = (names: Record<string, boolean>) => ({
  capabilities: Object.entries(names).map(([capability, state]) => ({ capability, state })),
});

const speedOf = ({ bandwidthBytesPerSecond }: MigrationOptions) =>
  bandwidthBytesPerSecond ?? bandwidthDefault;

const memoryUri = ({ host, port }: MigrationTarget) => `tcp:${host}:${port}`;

async function useKey(vm: Vm, key: string) {
  const { run, inside } = vm.options;
  await vm.qmp.execute("object-del", { id: tls }).catch(() => {});
  const credentials = { run, inside, id: tls, key, endpoint: "client" as const };
  await vm.qmp.execute("object-add", await sharedKey(credentials));
}

/** Of a migration that came to nothing; asked twice, it is done once. */
const letGo = (vm: Vm, state: Leaving) =>
  (state.ended ??= endMirrors(vm, state.note.options.copy, true));

/** It stands still. What was begun before Kerb was started anew is ended. */
async function switchOver(vm: Vm, copy: string[]) {
  if (!isSwitching(vm)) await mirrorsAreWhole(vm, copy);
  await letGoWhole(vm, () => endMirrors(vm, copy, false));
  await vm.qmp.execute("migrate-continue", { state: "pre-switchover" });
}

/** Follows the memory's way until it is there or not. `begin` gives QEMU's word for it, where it is on its way. */
async function untilMoved(vm: Vm, state: Leaving, begin: () => Promise<string | undefined>) {
  const { signal } = vm.options.scope;
  const ends: (() => void)[] = [];
  const moved = new Promise<void>((resolve, reject) => {
    const gone = () => reject(new StatusError("Conflict", "QEMU ended while its guest moved"));
    signal.addEventListener("abort", gone, { once: true });
    ends.push(() => signal.removeEventListener("abort", gone));
    let switching: Promise<void> | undefined;
    const over = (status: string) =>
      reject(new StatusError("InternalError", `the migration ${status}`));
    const hear = (status: string) => {
      const step = nextStep(state.note.phase, status);
      if (step === "switch") {
        switching ??= switchOver(vm, state.note.options.copy);
        switching.catch(() => vm.tell("migrate_cancel"));
      } else if (step === "enter post-copy") enter(vm, state, "post-copy");
      else if (step === "enter interrupted") {
        wayBroke(vm);
        enter(vm, state, "interrupted");
      } else if (step === "cancel") vm.tell("migrate_cancel");
      else if (step === "complete") resolve();
      else if (step === "fail" || step === "lose") over(status);
    };
    ends.push(vm.onEvent(({ event, data }) => event === "MIGRATION" && hear(data.status)));
    begin().then((status) => status && hear(status), reject);
  });
  moved.catch(() => {});
  ends.push(growPatient(vm), pauseWhenSilent(vm, state));
  ends.push(goOnAfter(vm, state), endAfter(vm, state));
  await moved.finally(() => ends.forEach((end) => end()));
}

/** Until it is stopped. */
function growPatient(vm: Vm) {
  let limit: number = downtimeMs.first;
  return vm.options.clock.every(patienceMs, () => {
    limit = Math.min(limit * 2, downtimeMs.max);
    vm.tell("migrate-set-parameters", { "downtime-limit": limit });
  });
}

/** To be stopped. */
function endAfter(vm: Vm, state: Leaving) {
  const { options, sentAt } = state.note;
  const { abortAfterMs } = options;
  if (abortAfterMs === undefined || sentAt === undefined) return () => {};
  const { clock } = vm.options;
  return clock.after(sentAt + abortAfterMs - clock.now(), () => {
    const seconds = Math.round(abortAfterMs / 1000);
    const error = `Live migration is not completed after ${seconds} seconds and has been aborted`;
    enter(vm, state, state.note.phase, { error });
    vm.tell("migrate_cancel");
  });
}

/** After a migration that failed, unless somebody paused the guest. */
async function goOn(vm: Vm) {
  const { status } = await vm.qmp.execute("query-status");
  if (["finish-migrate", "postmigrate"].includes(status)) await vm.qmp.execute("cont");
}

async function sendMemory(vm: Vm, state: Leaving) {
  const { target, options } = state.note;
  const { copy, autoConverge } = options;
  await vm.qmp.execute(
    "migrate-set-capabilities",
    capabilities({
      "pause-before-switchover": copy.length + replicatedDisks(vm).length > 0,
      "auto-converge": autoConverge,
      // The target says that it has all; else one that died meanwhile took the guest along.
      "return-path": true,
      events: true,
    }),
  );
  await vm.qmp.execute("migrate-set-parameters", {
    "tls-creds": tls,
    "tls-hostname": "",
    "max-bandwidth": speedOf(options),
    "downtime-limit": downtimeMs.first,
  });
  await allowPostCopy(vm, target, options);
  enter(vm, state, "running", { sentAt: vm.options.clock.now() });
  await untilMoved(vm, state, async () => {
    await vm.qmp.execute("migrate", { uri: memoryUri(target) });
    return undefined;
  });
}

/** From `step` to the end, whatever that is; it is noted. */
async function carryOn(vm: Vm, state: Leaving, step: Step, status?: string) {
  state.isFollowed = true;
  const { target, options } = state.note;
  try {
    if (step === "copy disks") {
      await mirrorDisks(vm, target, { copy: options.copy, tls, speed: speedOf(options) });
    }
    if (step === "copy disks" || step === "send memory") await sendMemory(vm, state);
    else await untilMoved(vm, state, async () => status ?? "none");
    enter(vm, state, "completed");
  } catch (error) {
    // Noted as it was: Kerb itself ends, or QEMU has.
    if (vm.options.scope.closed) return;
    await fail(vm, state, (error as Error).message);
  }
}

async function fail(vm: Vm, state: Leaving, message: string) {
  const { phase, error = message } = state.note;
  // What it did since at the target is not known here: it does not go on.
  if (phase === "post-copy" || phase === "interrupted") return enter(vm, state, "lost", { error });
  enter(vm, state, phase === "cancelled" ? "cancelled" : "failed", { error });
  await letGo(vm, state).catch(() => {});
  if (!stays(vm)) await goOn(vm).catch(() => {});
  vm.options.changed();
}

/** Goes on with a migration that Kerb began before it was started anew. */
export function mindMigration(vm: Vm) {
  const state = leavingOf(vm);
  vm.migratedAway = isAway(state?.note.phase);
  if (!state) return;
  vm.onConnect(async () => {
    if (state.isFollowed || leavingOf(vm) !== state) return;
    const status = leavingStatus(await vm.qmp.execute("query-migrate"));
    if (vm.options.scope.closed) return;
    const step = nextStep(state.note.phase, status);
    if (step !== "nothing") void carryOn(vm, state, step, status);
  });
}

/** Resolves once it has begun; `progress` tells the rest. */
export async function migrate(vm: Vm, target: MigrationTarget, options: MigrationOptions) {
  const { copy } = options;
  if (replicatedDisks(vm).length > 0 && vm.status !== "running") {
    throw new StatusError("Conflict", `VMI ${vm.domain.name} is paused, and its copies stay`);
  }
  const before = leavingOf(vm);
  if (before?.note.target.key === target.key) return;
  if (isLeaving(before?.note.phase)) {
    throw new StatusError("Conflict", `VMI ${vm.domain.name} is migrating already`);
  }
  await before?.ended;
  await useKey(vm, target.key);
  noteSwitching(vm, false);
  const phase: Phase = copy.length > 0 ? "copying disks" : "running";
  const state = beginLeaving(vm, { phase, target, options });
  void carryOn(vm, state, phase === "running" ? "send memory" : "copy disks");
}

/** Answers at once, or when the phase is another than `phase`. */
export async function progress(
  vm: Vm,
  phase?: MigrationProgress["phase"],
): Promise<MigrationProgress> {
  const state = leavingOf(vm);
  if (state && state.note.phase === phase) await nextPhase(vm, state);
  const info = await counted(() => vm.qmp.execute("query-migrate")).catch(() => ({}));
  const note = state?.note;
  const mirrors = note?.phase === "copying disks" ? await jobs(vm).catch(() => []) : [];
  const sum = (read: (job: any) => number) => mirrors.reduce((all, job) => all + read(job), 0);
  const disks = sum((job) => job["total-progress"]);
  const done = sum((job) => job["current-progress"]);
  const error = note?.error ?? info["error-desc"];
  return {
    phase: note?.phase ?? "none",
    transferredBytes: (info.ram?.transferred ?? 0) + done,
    remainingBytes: (info.ram?.remaining ?? 0) + disks - done,
    totalBytes: (info.ram?.total ?? 0) + disks,
    ...(info.downtime !== undefined && { downtimeMs: info.downtime }),
    ...(info["total-time"] !== undefined && { totalMs: info["total-time"] }),
    ...(error && { error }),
  };
}

/** The rest of the memory takes a new way. Asked while it does, it changes nothing. */
export async function resume(vm: Vm) {
  const state = leavingOf(vm);
  if (state?.note.phase !== "interrupted") return;
  const words = { uri: memoryUri(state.note.target), resume: true };
  await tryNewWay(vm, () => vm.qmp.execute("migrate", words));
}

export async function cancel(vm: Vm) {
  const state = leavingOf(vm);
  const status = leavingStatus(await vm.qmp.execute("query-migrate"));
  const { status: runState } = await vm.qmp.execute("query-status");
  const isPostCopyAsked = state?.note.isPostCopyAsked ?? false;
  const why = cancelRefusal({ phase: state?.note.phase, isPostCopyAsked, status, runState });
  if (why || !state) throw new StatusError("Conflict", `VMI ${vm.domain.name} ${why}`);
  enter(vm, state, "cancelled");
  await vm.qmp.execute("migrate_cancel");
  await letGo(vm, state);
}
