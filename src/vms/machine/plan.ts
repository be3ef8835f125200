// VirtualMachine, decided: whether its instance is made or ended now, which requests are done with, and when to
// look again. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { isFinal, runStrategyOf } from "./run-strategy.ts";
import type { RunStrategy, StateChange } from "./run-strategy.ts";

/** A start that failed n times in a row waits n squared times this. */
const backoffStepSeconds = 10;
const backoffSecondsMax = 300;

export interface StartFailure {
  consecutiveFailCount: number;
  lastFailedVMIUID: string;
  retryAfterTimestamp: string;
}

export interface MachinePlan {
  start: false | { paused: boolean };
  stop: boolean;
  requests: StateChange[];
  /** The strategy that the spec is to have from now on. */
  strategy?: RunStrategy;
  startFailure?: StartFailure;
  /** It is to start and cannot yet. */
  pending?: true;
  wakeAfterMs?: number;
}

const ran = (instance: KubeObject) =>
  (instance.status?.phaseTransitionTimestamps ?? []).some((one: any) => one.phase === "Running");

const isRunning = (instance: KubeObject) => instance.status?.phase === "Running";

function startFailureOf(
  vm: KubeObject,
  instance: KubeObject | undefined,
  now: number,
): StartFailure | undefined {
  const known: StartFailure | undefined = vm.status?.startFailure;
  if (["Halted", "Manual"].includes(runStrategyOf(vm))) return undefined;
  if (!instance) return known;
  if (isRunning(instance)) return undefined;
  const { uid } = instance.metadata;
  const failed = instance.status?.phase === "Failed" && !ran(instance);
  if (!failed || known?.lastFailedVMIUID === uid) return known;
  const count = (known?.consecutiveFailCount ?? 0) + 1;
  const seconds = Math.min(backoffStepSeconds * count ** 2, backoffSecondsMax);
  return {
    consecutiveFailCount: count,
    lastFailedVMIUID: uid,
    retryAfterTimestamp: timestamp(now + seconds * 1000),
  };
}

/** What was asked for and is not done yet. */
function openRequests(vm: KubeObject, instance: KubeObject | undefined): StateChange[] {
  const requests: StateChange[] = vm.status?.stateChangeRequests ?? [];
  const [first, ...others] = requests;
  if (first?.action === "Stop" && first.uid !== instance?.metadata.uid) return others;
  const started = instance && !isFinal(instance) && !instance.metadata.deletionTimestamp;
  return first?.action === "Start" && started ? others : requests;
}

interface Situation {
  strategy: RunStrategy;
  /** The strategy is another than when its instance was made or ended last. */
  isNew: boolean;
  instance: KubeObject | undefined;
  stopAsked: boolean;
  startAsked: boolean;
}

type Decision = { start: boolean; stop: boolean; requests?: StateChange[] };

const nothing: Decision = { start: false, stop: false };
const stop: Decision = { start: false, stop: true };
const startIf = (start: boolean): Decision => ({ start, stop: false });
const startNext: StateChange[] = [{ action: "Start" }];

const deciders: Record<RunStrategy, (situation: Situation) => Decision> = {
  Always: ({ instance, stopAsked }) =>
    instance ? (stopAsked || isFinal(instance) ? stop : nothing) : startIf(true),
  RerunOnFailure: ({ instance, stopAsked, startAsked, isNew }) => {
    if (!instance) return startIf(startAsked || isNew);
    if (instance.status?.phase === "Failed") return { ...stop, requests: startNext };
    return stopAsked || isFinal(instance) ? stop : nothing;
  },
  Manual: ({ instance, stopAsked, startAsked }) => {
    if (!instance) return startIf(startAsked);
    return stopAsked || (isFinal(instance) && startAsked) ? stop : nothing;
  },
  Once: ({ instance, stopAsked, isNew }) => {
    if (!instance) return startIf(isNew);
    return stopAsked ? stop : nothing;
  },
  Halted: ({ instance }) => (instance ? stop : nothing),
};

export interface PlanOptions {
  now: number;
  /** False while its disks are being filled. */
  disksReady: boolean;
}

/** `instance` is the machine's own, if there is one. */
export function planMachine(
  vm: KubeObject,
  instance: KubeObject | undefined,
  { now, disksReady }: PlanOptions,
): MachinePlan {
  const requests = openRequests(vm, instance);
  const [first] = requests;
  const leaving = instance?.metadata.deletionTimestamp !== undefined;
  if (vm.metadata.deletionTimestamp) {
    return { start: false, stop: instance !== undefined && !leaving, requests };
  }
  const startFailure = startFailureOf(vm, instance, now);
  const base: Pick<MachinePlan, "requests" | "startFailure"> = {
    requests,
    ...(startFailure && { startFailure }),
  };
  const strategy = runStrategyOf(vm);
  const startAsked = first?.action === "Start";
  const paused = first?.data?.paused === "true";
  if (strategy === "Halted" && startAsked) {
    return { ...base, start: false, stop: false, strategy: "Always" };
  }
  const decision = deciders[strategy]({
    ...{ strategy, instance, startAsked },
    isNew: vm.status?.runStrategy !== strategy,
    stopAsked: first?.action === "Stop",
  });
  if (decision.stop) {
    const asked = requests.length > 0 ? requests : (decision.requests ?? requests);
    return { ...base, start: false, stop: !leaving, requests: asked };
  }
  const waitMs = startFailure ? Date.parse(startFailure.retryAfterTimestamp) - now : 0;
  if (decision.start && waitMs > 0) {
    return { ...base, start: false, stop: false, pending: true, wakeAfterMs: waitMs };
  }
  const plain = { ...base, start: false as const, stop: false };
  if (!decision.start) return plain;
  if (!disksReady) return { ...plain, pending: true };
  return { ...plain, start: { paused }, requests: startAsked ? requests.slice(1) : requests };
}
