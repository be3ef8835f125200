// The numbers of a strategy, read once.
import { intOrPercent } from "../../controllers/int-or-percent.ts";
import { durationMs } from "../../lib/parse-duration.ts";
import type { RolloutGroup, RolloutStrategy } from "./model.ts";

/** A part of a rollout: its sites go before those of the next, which waits until it is through. */
export interface Stage {
  name: string;
  sites: string[];
  concurrencyMax: number;
  failuresMax: number;
}

export function limitsOf(strategy: RolloutStrategy) {
  const { type = "All", all, progressive, progressivePerGroup } = strategy;
  const limits =
    (type === "Progressive" ? progressive : type === "All" ? all : progressivePerGroup) ?? {};
  return {
    soakMs: durationMs(limits.minSuccessTime) ?? 0,
    deadlineMs: durationMs(limits.progressDeadline) || Infinity,
    maxFailures: limits.maxFailures ?? 0,
  };
}

const failures = (maxFailures: number | string, total: number) =>
  intOrPercent(maxFailures, total, { roundUp: false, otherwise: 0 });

/** Mandatory groups in their order, then the others. */
function split(groups: RolloutGroup[], strategy: RolloutStrategy) {
  const { type } = strategy;
  const part = type === "Progressive" ? strategy.progressive : strategy.progressivePerGroup;
  const mandatory = (part?.mandatoryDecisionGroups ?? []).flatMap(({ groupName, groupIndex }) =>
    groups.filter((group, index) => (groupName ? group.name === groupName : index === groupIndex)),
  );
  const first = [...new Set(mandatory)];
  return { first, rest: groups.filter((group) => !first.includes(group)) };
}

export function stagesOf(strategy: RolloutStrategy, groups: RolloutGroup[]): Stage[] {
  const { type = "All" } = strategy;
  const { maxFailures } = limitsOf(strategy);
  const sites = groups.flatMap((group) => group.sites);
  const whole = { concurrencyMax: Infinity, failuresMax: failures(maxFailures, sites.length) };
  if (type === "All") return [{ name: "all", sites, ...whole }];
  const { first, rest } = split(groups, strategy);
  const named = (group: RolloutGroup) => group.name || `group ${groups.indexOf(group)}`;
  if (type === "ProgressivePerGroup") {
    return [...first, ...rest].map((group) => ({
      name: named(group),
      sites: group.sites,
      concurrencyMax: Infinity,
      failuresMax: first.includes(group) ? 0 : failures(maxFailures, group.sites.length),
    }));
  }
  const concurrencyMax = Math.max(
    1,
    intOrPercent(strategy.progressive?.maxConcurrency, sites.length, {
      roundUp: true,
      otherwise: sites.length,
    }),
  );
  return [
    ...first.map((group) => ({
      name: named(group),
      sites: group.sites,
      concurrencyMax,
      failuresMax: 0,
    })),
    { ...whole, name: "all others", sites: rest.flatMap((group) => group.sites), concurrencyMax },
  ];
}
