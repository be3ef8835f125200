// Which pod must go when the node is short of something, and in what words, as kubelet decides it
// (pkg/kubelet/eviction). Pure.
import { podRequests } from "../../lib/pod-requests.ts";
import { isCritical } from "../pods/priority.ts";
import type { Pod } from "../pods/pod.ts";
import type { Ending } from "../pods/ending.ts";
import type { Reading, Signal } from "./signals.ts";
import { quantityOf } from "./thresholds.ts";
import type { Threshold } from "./thresholds.ts";

export type Shortage = "memory" | "disk" | "pids";

export type Pressure = Record<Shortage, boolean>;

/** What one pod holds of what can run short. */
export interface PodUse {
  pod: Pod;
  /** Bytes in use that could not be given back at once. */
  memory: number;
  /** Bytes of logs, emptyDirs and what containers wrote beside their volumes. */
  disk: number;
  inodes: number;
  pids: number;
  containers: { name: string; memory: number; disk: number }[];
}

export const shortageOf = (signal: Signal): Shortage =>
  signal.startsWith("memory") ? "memory" : signal.startsWith("pid") ? "pids" : "disk";

/** The resource as messages and requests call it. */
const resourceOf = (signal: Signal) =>
  ({
    "memory.available": "memory",
    "nodefs.available": "ephemeral-storage",
    "imagefs.available": "ephemeral-storage",
    "nodefs.inodesFree": "inodes",
    "imagefs.inodesFree": "inodes",
    "pid.available": "pids",
  })[signal];

function usedOf(use: PodUse, signal: Signal): number {
  if (signal.endsWith("inodesFree")) return use.inodes;
  return use[shortageOf(signal)];
}

const requestOf = ({ pod }: PodUse, signal: Signal) =>
  podRequests(pod.spec).get(resourceOf(signal)) ?? 0;

const priorityOf = ({ pod }: PodUse) => Number(pod.spec["priority"] ?? 0);

/** The first is the first to go: who uses more than it asked for, then the less important, then the larger. */
export function ranked(uses: PodUse[], signal: Signal): PodUse[] {
  const excess = (one: PodUse) => usedOf(one, signal) - requestOf(one, signal);
  const exceeds = (one: PodUse) => (shortageOf(signal) === "pids" ? 0 : Number(excess(one) > 0));
  return uses
    .filter(({ pod }) => !isCritical(pod))
    .sort(
      (a, b) => exceeds(b) - exceeds(a) || priorityOf(a) - priorityOf(b) || excess(b) - excess(a),
    );
}

const units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/** `123456Ki`: bytes as a quantity that loses nothing. */
export function bytesText(bytes: number): string {
  let value = Math.round(bytes);
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${units[unit]}`;
}

const amountText = (signal: Signal, amount: number) =>
  shortageOf(signal) === "pids" || signal.endsWith("inodesFree")
    ? String(Math.round(amount))
    : bytesText(amount);

function greedy(use: PodUse, signal: Signal): string {
  const kind = shortageOf(signal);
  if (kind === "pids" || signal.endsWith("inodesFree")) return "";
  const resource = resourceOf(signal);
  return use.containers
    .map((container) => {
      const spec = use.pod.spec.containers.find(({ name }) => name === container.name);
      const asked = podRequests({ containers: spec ? [spec] : [] }).get(resource) ?? 0;
      const used = container[kind];
      if (used <= asked) return "";
      const amounts = `${bytesText(used)}, request is ${bytesText(asked)}`;
      return `Container ${container.name} was using ${amounts}, has larger consumption of ${resource}. `;
    })
    .join("");
}

/** What a pod that goes for this is told. */
export function evictionOf(use: PodUse, threshold: Threshold, reading: Reading): Ending {
  const { signal } = threshold;
  const limit = amountText(signal, quantityOf(threshold, reading));
  const left = amountText(signal, reading.available);
  const low = `The node was low on resource: ${resourceOf(signal)}.`;
  const message = `${low} Threshold quantity: ${limit}, available: ${left}. ${greedy(use, signal)}`;
  return { reason: "Evicted", message, graceMs: 0, disrupted: "TerminationByKubelet" };
}
