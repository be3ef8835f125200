// What `kubectl get pods` shows: one word for all that goes on in a pod (printPod upstream).
import { age, ago, name, none, orNone, text, wide } from "../column.ts";
import type { Column } from "../kind.ts";
import type { KubeObject } from "../object.ts";

const isSidecar = (pod: KubeObject, container: string) =>
  pod.spec.initContainers?.find((c: any) => c.name === container)?.restartPolicy === "Always";

/** What a container that ended says of it; "" when it ended well. */
function endText(terminated: any): string {
  if (terminated.reason) return terminated.reason;
  if (terminated.signal) return `Signal:${terminated.signal}`;
  return `ExitCode:${terminated.exitCode}`;
}

/** The first init container that is not done, in a word; undefined when all are. */
function initText(pod: KubeObject): string | undefined {
  const statuses: any[] = pod.status?.initContainerStatuses ?? [];
  for (const [i, status] of statuses.entries()) {
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0 || (isSidecar(pod, status.name) && status.started)) continue;
    if (terminated) return `Init:${endText(terminated)}`;
    if (waiting?.reason && waiting.reason !== "PodInitializing") return `Init:${waiting.reason}`;
    return `Init:${i}/${pod.spec.initContainers?.length ?? 0}`;
  }
  return undefined;
}

function containersText(pod: KubeObject, otherwise: string): string {
  let reason = otherwise;
  let running = false;
  for (const { state = {}, ready } of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    if (state.waiting?.reason) reason = state.waiting.reason;
    else if (state.terminated) reason = endText(state.terminated);
    else if (ready && state.running) running = true;
  }
  if (reason !== "Completed" || !running) return reason;
  const ready = pod.status.conditions?.some((c: any) => c.type === "Ready" && c.status === "True");
  return ready ? "Running" : "NotReady";
}

/** The STATUS column. */
export function podStatusText(pod: KubeObject): string {
  const { status = {}, metadata } = pod;
  let reason: string = status.reason || status.phase || "Pending";
  const gated = status.conditions?.some((c: any) => c.reason === "SchedulingGated");
  if (gated) reason = "SchedulingGated";
  const init = initText(pod);
  reason = init ?? containersText(pod, reason);
  if (metadata.deletionTimestamp && status.reason === "NodeLost") return "Unknown";
  const ended = status.phase === "Failed" || status.phase === "Succeeded";
  return metadata.deletionTimestamp && !ended ? "Terminating" : reason;
}

const counted = (pod: KubeObject): any[] => [
  ...(pod.status?.initContainerStatuses ?? []).filter((s: any) => isSidecar(pod, s.name)),
  ...(pod.status?.containerStatuses ?? []),
];

function readyText(pod: KubeObject): string {
  const sidecars = (pod.spec.initContainers ?? []).filter((c: any) => c.restartPolicy === "Always");
  const ready = counted(pod).filter((status) => status.ready && status.state?.running);
  return `${ready.length}/${pod.spec.containers.length + sidecars.length}`;
}

function restartsText(pod: KubeObject, now: number): string {
  const initializing = initText(pod) !== undefined;
  const statuses = initializing ? (pod.status?.initContainerStatuses ?? []) : counted(pod);
  const restarts = statuses.reduce((sum: number, s: any) => sum + (s.restartCount ?? 0), 0);
  const ends = statuses
    .map((s: any) => s.lastState?.terminated?.finishedAt)
    .filter(Boolean)
    .sort();
  return restarts > 0 && ends.length > 0
    ? `${restarts} (${ago(ends.at(-1), now)} ago)`
    : String(restarts);
}

function gatesText({ spec, status }: KubeObject): string {
  const gates: any[] = spec.readinessGates ?? [];
  if (gates.length === 0) return none;
  const met = gates.filter(({ conditionType }) =>
    status?.conditions?.some((c: any) => c.type === conditionType && c.status === "True"),
  );
  return `${met.length}/${gates.length}`;
}

export const podColumns: Column[] = [
  name,
  text("Ready", readyText),
  text("Status", podStatusText),
  text("Restarts", restartsText),
  age,
  wide(text("IP", (pod) => orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP))),
  wide(text("Node", (pod) => orNone(pod.spec.nodeName))),
  wide(text("Nominated Node", (pod) => orNone(pod.status?.nominatedNodeName))),
  wide(text("Readiness Gates", gatesText)),
];
