// Start, stop and restart of a machine, decided: what is written, or why it is refused. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { badRequest, conflict } from "../../lib/status-error.ts";
import { isFinal, runStrategyOf } from "../machine/run-strategy.ts";
import type { RunStrategy, StateChange } from "../machine/run-strategy.ts";

export interface Change {
  /** Merged into the machine's spec. */
  spec?: { runStrategy: string } | { running: boolean };
  /** In the machine's status from now on. */
  requests?: StateChange[];
  /** The instance's new time to power down. */
  graceSeconds?: number;
  /** The pod is to go at once. */
  force?: true;
}

const resource = { group: "kubevirt.io", resource: "virtualmachine" };
const refuse = ({ metadata }: KubeObject, why: string) => conflict(resource, metadata.name, why);

const lives = (instance: KubeObject | undefined): instance is KubeObject =>
  instance !== undefined && !isFinal(instance);

/** In the word that the machine uses itself. */
const running = ({ spec }: KubeObject, on: boolean): NonNullable<Change["spec"]> =>
  spec.runStrategy === undefined ? { running: on } : { runStrategy: on ? "Always" : "Halted" };

const stopRequest = ({ metadata }: KubeObject): StateChange => ({
  action: "Stop",
  uid: metadata.uid,
});
const manual: RunStrategy[] = ["Manual", "RerunOnFailure"];

export function planStart(
  vm: KubeObject,
  instance: KubeObject | undefined,
  { paused }: { paused?: boolean },
): Change {
  if (lives(instance)) throw refuse(vm, "VM is already running");
  const strategy = runStrategyOf(vm);
  const start: StateChange = { action: "Start", ...(paused && { data: { paused: "true" } }) };
  if (strategy === "Halted") return paused ? { requests: [start] } : { spec: running(vm, true) };
  if (!manual.includes(strategy)) {
    throw refuse(vm, `${strategy} does not support manual start requests`);
  }
  return { requests: instance ? [stopRequest(instance), start] : [start] };
}

export function planStop(
  vm: KubeObject,
  instance: KubeObject | undefined,
  { gracePeriod }: { gracePeriod?: number | null },
): Change {
  const strategy = runStrategyOf(vm);
  const known: number = instance?.spec.terminationGracePeriodSeconds ?? 30;
  const shorter = typeof gracePeriod === "number" && gracePeriod < known;
  const grace = lives(instance) && shorter ? { graceSeconds: gracePeriod } : {};
  if (typeof gracePeriod === "number" && gracePeriod < 0) {
    throw badRequest("gracePeriod has to be greater or equal to 0");
  }
  if (strategy === "Halted") {
    if (!lives(instance)) throw refuse(vm, "VM is not running");
    if (!shorter) {
      const why = `${strategy} only supports manual stop requests with a shorter graceperiod`;
      throw refuse(vm, why);
    }
    return { ...grace, ...(gracePeriod === 0 && { force: true }) };
  }
  if (!manual.includes(strategy)) {
    // A start that a restart asked for is not wanted any more.
    const open = (vm.status?.stateChangeRequests ?? []).length > 0;
    return { ...grace, spec: running(vm, false), ...(open && { requests: [] }) };
  }
  if (!lives(instance)) throw refuse(vm, "VM is not running");
  return { ...grace, requests: [stopRequest(instance)] };
}

export function planRestart(
  vm: KubeObject,
  instance: KubeObject | undefined,
  { gracePeriodSeconds }: { gracePeriodSeconds?: number | null },
): Change {
  const strategy = runStrategyOf(vm);
  if (typeof gracePeriodSeconds === "number" && gracePeriodSeconds !== 0) {
    throw badRequest("For force restart, only gracePeriod=0 is supported for now");
  }
  if (strategy === "Halted" || strategy === "Once") {
    throw refuse(vm, `RunStategy ${strategy} does not support manual restart requests`);
  }
  if (!instance) throw refuse(vm, "VM is not running");
  return {
    requests: [stopRequest(instance), { action: "Start" }],
    ...(gracePeriodSeconds === 0 && { graceSeconds: 0, force: true }),
  };
}
