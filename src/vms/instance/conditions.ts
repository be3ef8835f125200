// The conditions of an instance that its pod and its disks decide; the others are the node's. Pure.
import { conditionOf } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";

export interface Failure {
  reason: string;
  message: string;
}

const isTrue = (object: KubeObject | undefined, type: string) =>
  object !== undefined && conditionOf(object, type)?.status === "True";

function readiness(vmi: KubeObject, pod: KubeObject | undefined, phase: string): Condition {
  const no = (reason: string, message: string): Condition => ({
    ...{ type: "Ready", status: "False", reason, message },
  });
  if (!pod) return no("PodNotExists", "virt-launcher pod has not yet been scheduled");
  if (pod.metadata.deletionTimestamp)
    return no("PodTerminating", "virt-launcher pod is terminating");
  if (phase !== "Running") return no("GuestNotRunning", "Guest VM is not reported as running");
  if (isTrue(vmi, "Paused")) return no("GuestNotRunning", "Guest VM is paused");
  const ready = conditionOf(pod, "Ready");
  if (!ready) return no("PodConditionMissing", "virt-launcher pod is missing the Ready condition");
  const { status, reason, message } = ready;
  return { type: "Ready", status, ...(reason && { reason }), ...(message && { message }) };
}

const waitingReasons = [
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
];

/** Exit codes above say by which signal a process was ended. */
const signalsFrom = 128;
/** Containerd's word for a process whose end nobody saw. */
const unseenExit = 255;

/** What runtimes say around the word of whoever prepares QEMU's start. */
const around = /^.*OCI runtime create failed: |: unknown$/g;

/** Why its pod does not come up, when that is known. */
function stuck(pod: KubeObject | undefined): Failure | undefined {
  const statuses: any[] = pod?.status?.containerStatuses ?? [];
  const refused = statuses
    .map(({ state }) => state?.terminated)
    .find((one) => one?.reason === "StartError");
  if (refused) return { reason: refused.reason, message: refused.message.replace(around, "") };
  const waiting = statuses
    .map(({ state }) => state?.waiting)
    .find((one) => one && waitingReasons.includes(one.reason));
  return waiting && { reason: waiting.reason, message: waiting.message ?? waiting.reason };
}

/** Why a pod ended that was not to: what the node says of it, else how QEMU's process ended. */
export function whyEnded(pod: KubeObject | undefined): string | undefined {
  const refused = stuck(pod)?.message;
  if (refused || !pod) return refused;
  const { reason, message, containerStatuses = [] } = pod.status ?? {};
  if (message) return reason ? `${reason}: ${message}` : message;
  const ends = containerStatuses.map(({ state }: any) => state?.terminated);
  const ended = ends.find((one: any) => one && one.exitCode !== 0);
  if (!ended) return undefined;
  if (ended.reason === "OOMKilled") return "OOMKilled: QEMU needed more memory than its limit";
  if (ended.exitCode === unseenExit) return "QEMU was gone when its node came back";
  const signal = ended.exitCode - signalsFrom;
  if (signal > 0) return `QEMU was ended by signal ${signal}`;
  return `QEMU ended with exit code ${ended.exitCode}: ${ended.message || `kubectl logs ${pod.metadata.name} says more`}`;
}

/** Taken away where they no longer hold. */
const passing = ["PodScheduled", "Synchronized", "Provisioning"];

export interface Judged {
  vmi: KubeObject;
  pod: KubeObject | undefined;
  phase: string;
  failure: Failure | undefined;
  /** Of its DataVolumes; undefined when it has none. */
  disksReady: boolean | undefined;
}

/** Those to be there, and the types that are not to be there. */
export function judge({ vmi, pod, phase, failure, disksReady }: Judged) {
  const scheduled = pod && conditionOf(pod, "PodScheduled");
  const why = failure ?? stuck(pod);
  const wanted: Condition[] = [readiness(vmi, pod, phase)];
  if (scheduled?.status === "False") {
    const { reason = "", message = "" } = scheduled;
    wanted.push({ type: "PodScheduled", status: "False", reason, message });
  }
  if (why) wanted.push({ type: "Synchronized", status: "False", ...why });
  if (disksReady !== undefined) {
    wanted.push({
      type: "DataVolumesReady",
      status: disksReady ? "True" : "False",
      reason: disksReady ? "AllDVsReady" : "NotAllDVsReady",
      message: disksReady
        ? "All of the VMI's DVs are bound and ready"
        : "Not all of the VMI's DVs are ready",
    });
  }
  const there = new Set(wanted.map(({ type }) => type));
  return { wanted, absent: passing.filter((type) => !there.has(type)) };
}
