// Completion indexes, written as Kubernetes writes them: "0,2-4,7".
import type { KubeObject } from "../../kinds/object.ts";

export const indexAnnotation = "batch.kubernetes.io/job-completion-index";

export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>();
  for (const part of text ? text.split(",") : []) {
    const [first, last = first] = part.split("-").map(Number);
    for (let index = first!; index <= last!; index++) indexes.add(index);
  }
  return indexes;
}

export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    const [first, last] = [sorted[i]!, sorted[end]!];
    if (end === i) parts.push(`${first}`);
    else parts.push(`${first}${end === i + 1 ? "," : "-"}${last}`);
    i = end + 1;
  }
  return parts.join(",");
}

/** -1 when the pod carries none. */
export function indexOf(pod: KubeObject): number {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1;
}
