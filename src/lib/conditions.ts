// `meta/v1 Condition`s. Pure.
import { timestamp } from "./clock.ts";

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  lastTransitionTime?: string;
  observedGeneration?: number;
}

/** All `have`, with `wanted` in their places; a time moves only with its status. */
export function withConditions(
  have: Condition[] | undefined,
  wanted: Condition[],
  now: number,
): Condition[] {
  const merged = new Map((have ?? []).map((one) => [one.type, one]));
  for (const one of wanted) {
    const before = merged.get(one.type);
    const same = before?.status === one.status;
    const lastTransitionTime = (same && before.lastTransitionTime) || timestamp(now);
    merged.set(one.type, { ...one, lastTransitionTime });
  }
  return [...merged.values()];
}

export const isTrue = (conditions: Condition[] | undefined, type: string) =>
  conditions?.some((one) => one.type === type && one.status === "True") ?? false;
