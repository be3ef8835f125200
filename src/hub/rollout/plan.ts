// Which sites get new content next. Pure. A site counts against the concurrency from the moment it is given
// the content until it has succeeded for `minSuccessTime`; one that fails, or is not done by
// `progressDeadline`, counts against the failures. Stages follow one another. A rollout that stops says why
// and what happens next; nothing that is given is taken back unless `onFailure` says so.
import { limitsOf, stagesOf } from "./limits.ts";
import type { Stage } from "./limits.ts";
import type { RolloutState } from "./model.ts";

export type RolloutPhase =
  | "Progressing"
  | "Waiting"
  | "Paused"
  | "Stopped"
  | "RollingBack"
  | "Complete";

export interface RolloutPlan {
  phase: RolloutPhase;
  /** Sites to give the new content now. */
  start: string[];
  /** Sites to give the previous content. */
  rollBack: string[];
  counts: { total: number; done: number; running: number; failed: number; waiting: number };
  /** Why, and what happens next. */
  message: string;
  /** Why the content was given up. */
  givenUp?: string;
  /** Wall clock ms at which time alone changes the plan. */
  wakeAt?: number;
}

type Outcome = "waiting" | "running" | "done" | "failed";

interface View {
  outcomes: Map<string, Outcome>;
  wakeAt: number;
}

/** What each site counts as now. */
function look({ strategy, groups, reports, now }: RolloutState): View {
  const { soakMs, deadlineMs } = limitsOf(strategy);
  let wakeAt = Infinity;
  const running = (until: number): Outcome => {
    wakeAt = Math.min(wakeAt, until);
    return "running";
  };
  const outcomeOf = (site: string): Outcome => {
    const { state, since } = reports.get(site) ?? { state: "Waiting", since: now };
    switch (state) {
      case "Waiting":
        return "waiting";
      case "Failed":
        return "failed";
      case "Succeeded":
        return since + soakMs <= now ? "done" : running(since + soakMs);
      case "Progressing":
        return since + deadlineMs <= now ? "failed" : running(since + deadlineMs);
    }
  };
  const sites = groups.flatMap((group) => group.sites);
  const outcomes = new Map(sites.map((site) => [site, outcomeOf(site)]));
  return { outcomes, wakeAt };
}

const quoted = (sites: string[]) =>
  sites.length > 3
    ? `${sites.slice(0, 3).join(", ")} and ${sites.length - 3} more`
    : sites.join(", ");

const next = (what: string) => `; next: ${what}`;

interface Step {
  stage?: Stage;
  /** The stage that has too many failures. */
  broken?: Stage;
}

/** The first stage that is not through. */
function stepOf(stages: Stage[], of: (stage: Stage, outcome: Outcome) => string[]): Step {
  for (const stage of stages) {
    if (of(stage, "failed").length > stage.failuresMax) return { broken: stage };
    if (of(stage, "waiting").length + of(stage, "running").length > 0) return { stage };
  }
  return {};
}

/** Sites of `candidates` that nothing holds, and what holds the others. */
function free(candidates: string[], { windowOf, blocked }: RolloutState) {
  const held: string[] = [];
  let opensAt = Infinity;
  const open = candidates.filter((site) => {
    const why = blocked?.get(site);
    const window = windowOf?.(site) ?? { open: true };
    if (why !== undefined) held.push(`${site}: ${why}`);
    else if (!window.open) {
      held.push(`${site}: outside its maintenance window`);
      opensAt = Math.min(opensAt, window.opensAt);
    }
    return why === undefined && window.open;
  });
  return { open, held, opensAt };
}

export function planRollout(state: RolloutState): RolloutPlan {
  const { groups, strategy, paused, aborted, onFailure = "Stop", hasPrevious, blocked } = state;
  const { outcomes, wakeAt } = look(state);
  const with_ = (outcome: Outcome, sites: Iterable<string> = outcomes.keys()) =>
    [...sites].filter((site) => outcomes.get(site) === outcome);
  const [waiting, running, done, failed] = (["waiting", "running", "done", "failed"] as const).map(
    (outcome) => with_(outcome),
  ) as [string[], string[], string[], string[]];
  const counts = {
    total: outcomes.size,
    done: done.length,
    running: running.length,
    failed: failed.length,
    waiting: waiting.length,
  };
  const plan = (phase: RolloutPhase, message: string, more: Partial<RolloutPlan> = {}) => {
    const wake = Math.min(wakeAt, more.wakeAt ?? Infinity);
    const { wakeAt: _, ...rest } = more;
    const time = wake === Infinity ? {} : { wakeAt: wake };
    return { phase, start: [], rollBack: [], counts, message, ...rest, ...time };
  };
  const touched = [...running, ...done, ...failed];
  const takeBack = (why: string): RolloutPlan => {
    if (onFailure === "RollBack" && touched.length === 0) {
      const what = "no site has this content, and none gets it until it is changed";
      return plan("Stopped", why + next(what), { givenUp: why });
    }
    if (onFailure === "RollBack" && hasPrevious) {
      const what = `the previous content goes back to ${touched.length} sites`;
      return plan("RollingBack", why + next(what), { rollBack: touched, givenUp: why });
    }
    const none = onFailure === "RollBack" ? "there is no previous content; " : "";
    const what = `${none}${touched.length} sites keep what they have, ${waiting.length} get nothing`;
    return plan("Stopped", why + next(`${what}, until the content or the rollout is changed`));
  };
  // Said by a person, or remembered of this content: a site that went back looks as if it never had it.
  if (aborted !== undefined) return takeBack(aborted);
  const stages = stagesOf(strategy, groups);
  const { stage, broken } = stepOf(stages, ({ sites }, outcome) => with_(outcome, sites));
  if (broken) {
    const bad = with_("failed", broken.sites);
    const limit = `${bad.length} of at most ${broken.failuresMax} may fail in ${broken.name}`;
    return takeBack(`${quoted(bad)} failed (${limit})`);
  }
  if (!stage) {
    const but = failed.length > 0 ? `, ${failed.length} failed within the limit` : "";
    return plan("Complete", `${done.length} of ${outcomes.size} sites are done${but}`);
  }
  if (paused) {
    const what = `${waiting.length} sites get the content once it is no longer paused`;
    return plan("Paused", `paused; ${running.length} sites finish what they began${next(what)}`);
  }
  const everywhere = blocked?.get("");
  if (everywhere !== undefined) {
    const what = `it goes on with ${waiting.length} sites when that is over`;
    return plan("Waiting", everywhere + next(what));
  }
  const room = stage.concurrencyMax - with_("running", stage.sites).length;
  const { open, held, opensAt } = free(with_("waiting", stage.sites), state);
  const start = open.slice(0, Math.max(room, 0));
  const time = opensAt === Infinity ? {} : { wakeAt: opensAt };
  if (start.length === 0 && with_("running", stage.sites).length === 0) {
    return plan("Waiting", `nothing may begin in ${stage.name}: ${quoted(held)}`, time);
  }
  const began = start.length > 0 ? `${quoted(start)} begin` : `${running.length} sites are at work`;
  const later = waiting.length - start.length;
  const then = later > 0 ? `${later} more follow` : "it is complete when they are done";
  return plan("Progressing", `${stage.name}: ${began}${next(then)}`, { start, ...time });
}
