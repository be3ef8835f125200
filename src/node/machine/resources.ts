// Requests and limits as the kernel takes them: shares, quota, OOM score, and the class of service. Pure.
// Numbers are kubelet's (pkg/kubelet/cm, pkg/kubelet/qos).
import { amountIn, qosClassOf } from "../../lib/qos-class.ts";
import { hugePageLimits } from "./huge-pages.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { Resources } from "../runtime.ts";

export const cpuPeriod = 100_000;
const quotaMin = 1000;
const sharesMin = 2;
const sharesMax = 262_144;

export const cpuShares = (milliCpu: number) =>
  Math.min(sharesMax, Math.max(sharesMin, Math.floor((milliCpu * 1024) / 1000)));

export const cpuQuota = (milliCpu: number) =>
  Math.max(quotaMin, Math.floor((milliCpu * cpuPeriod) / 1000));

/** Lower lives longer when memory runs out. `capacityBytes` is the node's memory. */
export function oomScoreAdj(pod: Pod, container: Container, capacityBytes: number): number {
  const qos = qosClassOf(pod.spec);
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
  const pages = hugePageLimits(limits);
  return {
    cpuShares: cpuShares(cpuRequest),
    ...(cpuLimit > 0 && { cpuQuota: cpuQuota(cpuLimit), cpuPeriod }),
    ...(memory > 0 && { memoryBytes: memory }),
    ...(pages.length > 0 && { hugepageLimits: pages }),
    oomScoreAdj: oomScoreAdj(pod, container, capacityBytes),
  };
}

/** Of a pod, below `root`: `/kerb/burstable/pod<uid>`. */
export function cgroupParent(root: string, pod: Pod): string {
  const qos = qosClassOf(pod.spec);
  const middle = qos === "Guaranteed" ? "" : `/${qos.toLowerCase()}`;
  return root ? `/${root.replace(/^\/+|\/+$/g, "")}${middle}/pod${pod.metadata.uid}` : "";
}
