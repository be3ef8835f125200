// Requests and limits as the kernel takes them: shares, quota, OOM score, and the class of service. Pure.
// Numbers are kubelet's (pkg/kubelet/cm, pkg/kubelet/qos).
import { amountOf } from "../lib/pod-requests.ts";
import { allContainers } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";
import type { Resources } from "./runtime.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

export const cpuPeriod = 100_000;
const quotaMin = 1000;
const sharesMin = 2;
const sharesMax = 262_144;

export const cpuShares = (milliCpu: number) =>
  Math.min(sharesMax, Math.max(sharesMin, Math.floor((milliCpu * 1024) / 1000)));

export const cpuQuota = (milliCpu: number) =>
  Math.max(quotaMin, Math.floor((milliCpu * cpuPeriod) / 1000));

export const amountIn = (list: Record<string, string> | undefined, name: string) =>
  list?.[name] === undefined ? undefined : amountOf(name, list[name]);

export function qosClassOf(pod: Pod): QosClass {
  const lists = pod.spec["resources"]
    ? [{ resources: pod.spec["resources"] } as Container]
    : allContainers(pod);
  let any = false;
  let guaranteed = true;
  for (const { resources } of lists) {
    for (const name of ["cpu", "memory"]) {
      const limit = amountIn(resources?.limits, name) ?? 0;
      const request = amountIn(resources?.requests, name) ?? limit;
      if (limit > 0 || request > 0) any = true;
      if (limit === 0 || limit !== request) guaranteed = false;
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

/** Lower lives longer when memory runs out. `capacityBytes` is the node's memory. */
export function oomScoreAdj(pod: Pod, container: Container, capacityBytes: number): number {
  const qos = qosClassOf(pod);
  if (String(pod.spec["priorityClassName"] ?? "").startsWith("system-node-")) return -997;
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const request = amountIn(container.resources?.requests, "memory") ?? 0;
  const score = 1000 - Math.floor((1000 * request) / Math.max(capacityBytes, 1));
  return Math.min(Math.max(score, 3), 999);
}

export function resourcesOf(pod: Pod, container: Container, capacityBytes: number): Resources {
  const { requests, limits } = container.resources ?? {};
  const cpuLimit = amountIn(limits, "cpu") ?? 0;
  const cpuRequest = amountIn(requests, "cpu") ?? cpuLimit;
  const memory = amountIn(limits, "memory") ?? 0;
  return {
    cpuShares: cpuShares(cpuRequest),
    ...(cpuLimit > 0 && { cpuQuota: cpuQuota(cpuLimit), cpuPeriod }),
    ...(memory > 0 && { memoryBytes: memory }),
    oomScoreAdj: oomScoreAdj(pod, container, capacityBytes),
  };
}

/** Of a pod, below `root`: `/kerb/burstable/pod<uid>`. */
export function cgroupParent(root: string, pod: Pod): string {
  const qos = qosClassOf(pod);
  const middle = qos === "Guaranteed" ? "" : `/${qos.toLowerCase()}`;
  return root ? `/${root.replace(/^\/+|\/+$/g, "")}${middle}/pod${pod.metadata.uid}` : "";
}
