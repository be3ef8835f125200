// What a machine's status says. Pure.
import { conditionOf, withCondition } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { generationAnnotation } from "./instance-of.ts";
import { printableStatus } from "./printable-status.ts";
import type { Seen } from "./printable-status.ts";
import { volumeSnapshotStatuses } from "./volume-snapshots.ts";
import type { MachinePlan } from "./plan.ts";
import { runStrategyOf } from "./run-strategy.ts";

/** Conditions that a machine has of its own. */
const notMirrored = ["Ready", "Failure", "RestartRequired"];

interface Shown extends Omit<Seen, "startFailure"> {
  plan: MachinePlan;
  /** Why the last try to start or size it failed. */
  failure: { reason: string; message: string } | undefined;
  /** Why edits of it wait for a restart. */
  restart: string | undefined;
  /** References to its sizing. */
  refs: object;
  /** Claims of its namespace, by name. */
  claim: (name: string) => KubeObject | undefined;
  now: number;
}

function readiness(vm: KubeObject, instance: KubeObject | undefined): Condition {
  const ready = instance && conditionOf(instance, "Ready");
  if (ready) {
    const { status, reason, message } = ready;
    return { type: "Ready", status, ...(reason && { reason }), ...(message && { message }) };
  }
  const reason = instance ? "VMINotReady" : "VMINotExists";
  return {
    type: "Ready",
    status: "False",
    reason,
    message: instance ? "VMI is not ready" : "VMI does not exist",
  };
}

function conditionsOf({ vm, instance, failure, restart, now }: Shown): Condition[] {
  const mirrored: Condition[] = (instance?.status?.conditions ?? []).filter(
    ({ type }: Condition) => !notMirrored.includes(type),
  );
  const wanted: Condition[] = [
    readiness(vm, instance),
    ...mirrored,
    ...(restart ? [{ type: "RestartRequired", status: "True" as const, message: restart }] : []),
    ...(failure ? [{ type: "Failure", status: "True" as const, ...failure }] : []),
  ];
  const types = new Set(wanted.map(({ type }) => type));
  const kept = (vm.status?.conditions ?? []).filter(({ type }: Condition) => types.has(type));
  const time = timestamp(now);
  return wanted.reduce<Condition[]>((list, one) => {
    const { lastTransitionTime: _, lastProbeTime: __, ...rest } = one;
    return withCondition(list, rest, time);
  }, kept);
}

/** Fields that others write are kept. */
export function machineStatus(shown: Shown) {
  const { vm, instance, plan, refs, claim } = shown;
  const {
    startFailure: _,
    stateChangeRequests: __,
    volumeSnapshotStatuses: ___,
    ...kept
  } = vm.status ?? {};
  const { startFailure, requests } = plan;
  const conditions = conditionsOf(shown);
  const volumeSnapshots = volumeSnapshotStatuses(vm, claim);
  return {
    ...kept,
    ...refs,
    conditions,
    created: instance !== undefined,
    ready: conditions.some((one) => one.type === "Ready" && one.status === "True"),
    // What never started has not taken up its strategy.
    ...((!plan.pending || kept["runStrategy"]) && {
      runStrategy: plan.pending ? kept["runStrategy"] : runStrategyOf(vm),
    }),
    observedGeneration: Number(
      instance?.metadata.annotations?.[generationAnnotation] ?? vm.metadata.generation ?? 1,
    ),
    desiredGeneration: vm.metadata.generation ?? 1,
    printableStatus: printableStatus({ ...shown, startFailure }),
    ...(volumeSnapshots.length > 0 && { volumeSnapshotStatuses: volumeSnapshots }),
    ...(startFailure && { startFailure }),
    ...(requests.length > 0 && { stateChangeRequests: requests }),
  };
}
