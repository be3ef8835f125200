// VirtualMachineInstance, decided: its pod, its phase and when it is over. What the guest does is told by the node
// (Running, and conditions of its own); beginning and end follow from the pod alone. Pure.
import { withCondition } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { isFinal } from "../machine/run-strategy.ts";
import { wantsContextId } from "./context-ids.ts";
import { withClaims } from "./claim-info.ts";
import { judge } from "./conditions.ts";
import type { Failure } from "./conditions.ts";

const migrationLabel = "kubevirt.io/migrationJobUID";

export interface InstancePlan {
  create: boolean;
  /** Pods that are to go. */
  remove: KubeObject[];
  /** Nothing of it runs any more: whoever waits for that may go on. */
  release: boolean;
  phase: string;
  pod: KubeObject | undefined;
}

const hasEnded = ({ status }: KubeObject) => ["Succeeded", "Failed"].includes(status?.phase);
const isLeaving = ({ metadata }: KubeObject) => metadata.deletionTimestamp !== undefined;

/** Not one that holds a plugged volume. */
export const isLauncher = ({ metadata }: KubeObject) =>
  metadata.labels?.["kubevirt.io"] === "virt-launcher";

/**
 * The pod that the guest runs in: the target of a move that succeeded, the source of one that has not, else where the
 * node said it is. The first pod of all may still be ending when the guest moves for a second time.
 */
export function currentPod(vmi: KubeObject, all: KubeObject[]): KubeObject | undefined {
  const own = all.filter(isLauncher);
  const { nodeName, migrationState } = vmi.status ?? {};
  const { completed, failed, sourcePod, targetPod } = migrationState ?? {};
  const told = completed && !failed ? targetPod : sourcePod;
  return (
    own.find(({ metadata }) => metadata.name === told) ??
    own.find(
      ({ metadata, spec }) => !metadata.labels?.[migrationLabel] && spec.nodeName === nodeName,
    ) ??
    own.find(({ metadata }) => !metadata.labels?.[migrationLabel]) ??
    own.find(({ spec }) => spec.nodeName !== undefined && spec.nodeName === nodeName)
  );
}

const isUp = ({ status }: KubeObject) =>
  status?.phase === "Running" &&
  (status.containerStatuses ?? []).some(({ state }: any) => state?.running);

function phaseOf(vmi: KubeObject, pod: KubeObject | undefined): string {
  const phase: string = vmi.status?.phase ?? "";
  if (isFinal(vmi)) return phase;
  if (!pod) {
    if (vmi.metadata.deletionTimestamp)
      return phase === "" || phase === "Pending" ? "Failed" : phase;
    return phase === "" || phase === "Pending" ? "Pending" : "Failed";
  }
  if (hasEnded(pod)) return pod.status.phase;
  if (phase === "Running" || phase === "Scheduled") return phase;
  return isUp(pod) ? "Scheduled" : "Scheduling";
}

/** `own` are its pods, the oldest first. */
export function planInstance(
  vmi: KubeObject,
  own: KubeObject[],
  { disksReady }: { disksReady: boolean },
): InstancePlan {
  const pod = currentPod(vmi, own);
  const before: string = vmi.status?.phase ?? "";
  if (isLeaving(vmi)) {
    const alive = own.filter((one) => !hasEnded(one));
    const over = alive.length === 0;
    const phase = phaseOf(vmi, pod);
    return {
      create: false,
      remove: alive.filter((one) => !isLeaving(one)),
      release: over,
      phase: over && !["Succeeded", "Failed"].includes(phase) ? "Succeeded" : phase,
      pod,
    };
  }
  const phase = phaseOf(vmi, pod);
  const hasIds = !wantsContextId(vmi) || vmi.status?.VSOCKCID !== undefined;
  const create = !pod && phase === "Pending" && disksReady && hasIds && before !== "";
  return { create, remove: [], release: false, phase, pod };
}

export interface StatusOptions {
  now: number;
  failure: Failure | undefined;
  /** Where the guest asks for one. */
  contextId?: number | undefined;
  /** Of its DataVolumes; undefined when it has none. */
  disksReady: boolean | undefined;
  /** Claims of its namespace, by name. */
  claim?: (name: string) => KubeObject | undefined;
}

/** Where it runs, told once it is there. */
const told = (vmi: KubeObject, pod: KubeObject, { claim = () => undefined }: StatusOptions) => {
  const volumeStatus = withClaims(vmi, claim);
  return {
    launcherContainerImageVersion: pod.spec.containers[0].image,
    selinuxContext: "none",
    ...(volumeStatus.length > 0 && { volumeStatus }),
  };
};

/** What others wrote is kept. */
export function instanceStatus(vmi: KubeObject, plan: InstancePlan, options: StatusOptions) {
  const { phase, pod } = plan;
  const status = vmi.status ?? {};
  const time = timestamp(options.now);
  const { wanted, absent } = judge({ vmi, ...plan, ...options });
  const kept: Condition[] = (status.conditions ?? []).filter(
    ({ type }: Condition) => !absent.includes(type),
  );
  const conditions = wanted.reduce((list, one) => withCondition(list, one, time), kept);
  const moved = phase !== status.phase;
  const transition = { phase, phaseTransitionTimestamp: time };
  const scheduled = pod?.spec.nodeName;
  return {
    ...status,
    phase,
    conditions,
    ...(moved && {
      phaseTransitionTimestamps: [...(status.phaseTransitionTimestamps ?? []), transition],
    }),
    ...(scheduled && {
      nodeName: status.nodeName ?? scheduled,
      activePods: { ...status.activePods, [pod.metadata.uid]: scheduled },
      ...told(vmi, pod, options),
    }),
    ...(options.contextId !== undefined && { VSOCKCID: options.contextId }),
    ...(pod?.status?.qosClass && { qosClass: pod.status.qosClass }),
  };
}
