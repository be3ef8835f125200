import type { KubeObject } from "../../kinds/object.ts";

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export const conditionOf = ({ status }: KubeObject, type: string): Condition | undefined =>
  status?.conditions?.find((one: Condition) => one.type === type);

/** `wanted` with the times of those that did not change. */
export const withTimes = (
  before: Condition[] | undefined,
  wanted: Omit<Condition, "lastTransitionTime">[],
  now: string,
): Condition[] =>
  wanted.map((one) => {
    const known = before?.find(({ type }) => type === one.type);
    const kept = known?.status === one.status ? known.lastTransitionTime : undefined;
    return { ...one, lastTransitionTime: kept ?? now };
  });
