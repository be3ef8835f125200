// What is said to somebody who makes a namespace stricter than the pods that run there already.
import type { KubeObject } from "../../../kinds/object.ts";
import type { LevelVersion } from "./labels.ts";
import { written } from "./labels.ts";
import { violationsOf } from "./standard.ts";

/** Pods looked at when a namespace changes. */
export const podsMax = 3000;

const controllerOf = ({ metadata }: KubeObject) =>
  metadata.ownerReferences?.find(({ controller }) => controller)?.uid;

/** One pod of each controller first: they are alike. */
function byNovelty(pods: KubeObject[]): KubeObject[] {
  const seen = new Set<string>();
  const alike: KubeObject[] = [];
  const first = pods.filter((pod) => {
    const uid = controllerOf(pod);
    if (uid === undefined || !seen.has(uid)) return seen.add(uid ?? pod.metadata.uid);
    alike.push(pod);
    return false;
  });
  return [...first, ...alike];
}

export function namespaceWarnings(
  namespace: string,
  pods: KubeObject[],
  enforce: LevelVersion,
): string[] {
  const names = new Map<string, string[]>();
  for (const pod of byNovelty(pods).slice(0, podsMax)) {
    const broken = violationsOf(pod as { spec: any }, enforce.level, enforce.minor);
    if (broken.length === 0) continue;
    const why = broken.map(({ reason }) => reason).join(", ");
    names.set(why, [...(names.get(why) ?? []), pod.metadata.name]);
  }
  const lines = [...names].map(([why, found]) => {
    const [first, ...others] = found.sort();
    const more = others.length === 1 ? "1 other pod" : `${others.length} other pods`;
    return `${first}${others.length > 0 ? ` (and ${more})` : ""}: ${why}`;
  });
  const warnings: string[] = [];
  if (pods.length > podsMax) {
    warnings.push(
      `new PodSecurity enforce level only checked against the first ${podsMax} of ${pods.length} existing pods`,
    );
  }
  if (lines.length > 0) {
    warnings.push(
      `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${written(enforce)}"`,
    );
  }
  return [...warnings, ...lines.sort()];
}
