// How fast a number of replicas may change (KEP-853): the lowest, or highest, number wanted within a window,
// and at most so many pods, or such a share of them, in a period.

export interface Policy {
  type: "Pods" | "Percent";
  value: number;
  periodSeconds: number;
}

export interface Rules {
  policies?: Policy[];
  selectPolicy?: "Max" | "Min" | "Disabled";
  stabilizationWindowSeconds?: number;
  tolerance?: string | number;
}

export interface Behavior {
  scaleUp?: Rules;
  scaleDown?: Rules;
}

/** Wall-clock ms and a number of replicas that was wanted, or by which they changed. */
export interface Mark {
  at: number;
  replicas: number;
}

/** What is remembered of one autoscaler. */
export interface History {
  wanted: Mark[];
  /** Replicas added and taken away. */
  up: Mark[];
  down: Mark[];
}

const upDefault: Rules = {
  policies: [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ],
};
const downDefault: Rules = {
  policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
  stabilizationWindowSeconds: 300,
};

export const rulesOf = (behavior: Behavior | undefined) => ({
  up: { ...upDefault, ...behavior?.scaleUp },
  down: { ...downDefault, ...behavior?.scaleDown },
});

/** Remembered no longer than any window or period reaches back. */
export const historyMs = 3_600_000;

/**
 * What is there when an autoscaler is first looked at, or again after a restart, counts as wanted: nothing goes down
 * for what is not remembered.
 */
export const begun = (wanted: Mark[], current: number, now: number): Mark[] =>
  wanted.length > 0 ? wanted : [{ at: now, replicas: current }];

const within = (marks: readonly Mark[], seconds: number, now: number) =>
  marks.filter(({ at }) => at > now - seconds * 1000);

const changed = (marks: readonly Mark[], seconds: number, now: number) =>
  within(marks, seconds, now).reduce((all, { replicas }) => all + replicas, 0);

/** The most that `rules` let the replicas be now. */
function ceiling(rules: Rules, current: number, { up, down }: History, now: number): number {
  if (rules.selectPolicy === "Disabled") return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const added = changed(up, periodSeconds, now);
    const removed = changed(down, periodSeconds, now);
    const start = current - added + removed;
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
  });
  const limit = rules.selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits);
  return Math.max(limit, current);
}

function floor(rules: Rules, current: number, { up, down }: History, now: number): number {
  if (rules.selectPolicy === "Disabled") return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const start = current - changed(up, periodSeconds, now) + changed(down, periodSeconds, now);
    return type === "Pods" ? start - value : Math.floor(start * (1 - value / 100));
  });
  const limit = rules.selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits);
  return Math.min(limit, current);
}

export interface Paced {
  replicas: number;
  /** A condition's reason and message, when something held the change back or in bounds. */
  limited?: { reason: string; message: string };
  /** What was wanted earlier still counts. */
  stabilized?: "ScaleUpStabilized" | "ScaleDownStabilized";
}

/** The number of replicas to go to now from `current` when `wanted` are wanted. Pure. */
export function pace(
  wanted: number,
  options: {
    current: number;
    min: number;
    max: number;
    behavior: Behavior | undefined;
    history: History;
    now: number;
  },
): Paced {
  const { current, min, max, history, now } = options;
  const { up, down } = rulesOf(options.behavior);
  const recent = (rules: Rules) =>
    within(history.wanted, rules.stabilizationWindowSeconds ?? 0, now).map((one) => one.replicas);
  let replicas = wanted;
  const lowest = Math.min(wanted, ...recent(up));
  const highest = Math.max(wanted, ...recent(down));
  let stabilized: Paced["stabilized"];
  if (wanted > current && lowest < wanted) {
    replicas = Math.max(lowest, current);
    stabilized = "ScaleUpStabilized";
  } else if (wanted < current && highest > wanted) {
    replicas = Math.min(highest, current);
    stabilized = "ScaleDownStabilized";
  }
  const paced = bounded(replicas, { ...options, up, down, top: Math.max(min, max) });
  return { ...paced, ...(stabilized && { stabilized }) };
}

function bounded(
  replicas: number,
  options: {
    current: number;
    min: number;
    top: number;
    up: Rules;
    down: Rules;
    history: History;
    now: number;
  },
): Paced {
  const { current, min, top, up, down, history, now } = options;
  const most = replicas > current ? ceiling(up, current, history, now) : Number.POSITIVE_INFINITY;
  const least = replicas < current ? floor(down, current, history, now) : 0;
  if (replicas > Math.min(most, top)) {
    return most < top
      ? {
          replicas: most,
          limited: limit("ScaleUpLimit", "increasing faster than the maximum scale rate"),
        }
      : { replicas: top, limited: limit("TooManyReplicas", "more than the maximum replica count") };
  }
  if (replicas < Math.max(least, min)) {
    return least > min
      ? {
          replicas: least,
          limited: limit("ScaleDownLimit", "decreasing faster than the maximum scale rate"),
        }
      : { replicas: min, limited: limit("TooFewReplicas", "less than the minimum replica count") };
  }
  return { replicas };
}

const limit = (reason: string, what: string) => ({
  reason,
  message: `the desired replica count is ${what}`,
});
