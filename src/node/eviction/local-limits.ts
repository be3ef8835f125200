// Pods that wrote more than they may to the node's disk: emptyDirs over their sizeLimit, containers and whole
// pods over their limits of ephemeral-storage. In kubelet's words. Pure.
import { parseQuantity } from "../../lib/quantity.ts";
import type { Container, Pod } from "../pods/pod.ts";
import type { Ending } from "../pods/ending.ts";

export interface DiskUse {
  /** Bytes by emptyDir. */
  volumes: Map<string, number>;
  /** Bytes by container: its own layer and its logs. */
  containers: Map<string, number>;
}

type EmptyDir = { name: string; emptyDir?: { sizeLimit?: string; medium?: string } };

const storage = "ephemeral-storage";

const limitOf = ({ resources }: Container) => resources?.limits?.[storage];

const limited = (pod: Pod) =>
  [...(pod.spec.initContainers ?? []), ...pod.spec.containers].filter(limitOf);

const limitedDirs = (pod: Pod): EmptyDir[] =>
  (pod.spec.volumes ?? []).filter(({ emptyDir }) => emptyDir?.sizeLimit);

/** Only these need to be measured. */
export const hasDiskLimits = (pod: Pod) => limitedDirs(pod).length > 0 || limited(pod).length > 0;

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0);

function overrun(pod: Pod, { volumes, containers }: DiskUse): string | undefined {
  for (const { name, emptyDir } of limitedDirs(pod)) {
    const limit = emptyDir!.sizeLimit!;
    if ((volumes.get(name) ?? 0) <= parseQuantity(limit)) continue;
    return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `;
  }
  for (const container of limited(pod)) {
    const limit = limitOf(container)!;
    if ((containers.get(container.name) ?? 0) <= parseQuantity(limit)) continue;
    return `Container ${container.name} exceeded its local ephemeral storage limit "${limit}". `;
  }
  const all = pod.spec.containers;
  if (!all.every(limitOf)) return undefined;
  const total = sum(all.map((one) => parseQuantity(limitOf(one)!)));
  if (sum(volumes.values()) + sum(containers.values()) <= total) return undefined;
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${total}. `;
}

/** Why a pod must go for what it wrote; undefined when it keeps within its limits. */
export function overLimit(pod: Pod, use: DiskUse): Ending | undefined {
  const message = overrun(pod, use);
  if (message === undefined) return undefined;
  return { reason: "Evicted", message, graceMs: 0, disrupted: "TerminationByKubelet" };
}
