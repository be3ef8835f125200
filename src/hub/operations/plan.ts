// What a strategy does next. All of its past is in its status and in the operations that it made, so a hub that
// crashes goes on where it was. Pure.
import { maxParallelDefault } from "../kinds/site-group.ts";
import type { Pace } from "../kinds/site-group.ts";
import type { OperationStatus } from "../kinds/site-operation.ts";
import type {
  SiteStep,
  StrategyState,
  StrategyStatus,
  UpdateStrategy,
} from "../kinds/update-strategy.ts";

/** A site as the hub sees it now. */
export interface SiteView {
  name: string;
  isManaged: boolean;
  isOnline: boolean;
  /** A maintenance window is open, or none is for it. */
  isOpen: boolean;
  /** An alarm that holds everything up. */
  blocked?: string;
  /** What another strategy does there. */
  busy?: string;
}

export interface StrategyInput {
  spec: UpdateStrategy["spec"];
  status: StrategyStatus | undefined;
  /** The group's, below what the strategy says itself. */
  pace: Pace;
  /** Chosen by group and selector now; counts only until the strategy has chosen. */
  chosen: SiteView[];
  /** Every site, by name. */
  sites: Map<string, SiteView>;
  /** What the strategy's operations say, by site. */
  operations: Map<string, OperationStatus>;
}

export interface StrategyPlan {
  start: string[];
  status: StrategyStatus;
}

const isOver = ({ state }: SiteStep) => !["Initial", "Applying"].includes(state);

/** Decided once: what changes later begins with another strategy. */
function firstSteps({ chosen }: StrategyInput): SiteStep[] {
  return chosen
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, isManaged }) =>
      isManaged
        ? { site: name, state: "Initial" }
        : { site: name, state: "Skipped", message: "the site is not managed" },
    );
}

function told(step: SiteStep, operation: OperationStatus | undefined): SiteStep {
  if (isOver(step) || !operation) return step;
  const { phase, step: at, message, startedAt, finishedAt } = operation;
  const times = { ...(startedAt && { startedAt }), ...(finishedAt && { finishedAt }) };
  const says = [at, message].filter(Boolean).join(": ");
  const state = phase === "Complete" || phase === "Failed" ? phase : "Applying";
  return { site: step.site, state, message: says || "the site was asked", ...times };
}

/** Why nothing begins at a site yet; undefined when something may. */
function obstacle(site: SiteView, force: boolean): string | undefined {
  if (!site.isOnline) return "waits: the site is offline";
  if (site.busy) return `waits for ${site.busy}`;
  if (force) return undefined;
  if (site.blocked) return `waits: ${site.blocked}`;
  return site.isOpen ? undefined : "waits for its maintenance window";
}

function stateOf(steps: SiteStep[], { spec }: StrategyInput, stops: boolean): StrategyState {
  const counts = (state: SiteStep["state"]) => steps.filter((one) => one.state === state).length;
  const isRunning = counts("Applying") > 0;
  if (steps.every(isOver)) {
    if (counts("Aborted") > 0) return "Aborted";
    return counts("Failed") > 0 || steps.length === 0 ? "Failed" : "Complete";
  }
  if (stops) return isRunning ? "Applying" : "Failed";
  if (spec.aborted) return "Aborting";
  if (spec.paused) return "Paused";
  return isRunning || steps.some(isOver) ? "Applying" : "Initial";
}

function messageOf(state: StrategyState, steps: SiteStep[], stops: boolean): string {
  const failed = steps.filter((one) => one.state === "Failed").map(({ site }) => site);
  const waiting = steps.filter((one) => one.state === "Initial").length;
  if (steps.length === 0) return "no site was chosen: there is nothing to do";
  if (stops) {
    const rest = `${waiting} of ${steps.length} were not begun`;
    return `stopped, since ${failed.join(", ")} failed; ${rest}`;
  }
  if (state === "Failed") return `${failed.join(", ")} failed`;
  if (state === "Complete") return "";
  if (state === "Aborted") return "given up; what had begun was finished";
  if (state === "Aborting") return "given up; what has begun is finished first";
  if (state === "Paused") return `${waiting} wait until spec.paused is taken away`;
  return `${waiting} of ${steps.length} not begun yet`;
}

export function planStrategy(input: StrategyInput): StrategyPlan {
  const { spec, status, pace, sites, operations } = input;
  const maxParallel = spec.maxParallel ?? pace.maxParallel ?? maxParallelDefault;
  const stopOnFailure = spec.stopOnFailure ?? pace.stopOnFailure ?? true;
  const before = status?.sites ?? firstSteps(input);
  let steps = before.map((step): SiteStep => {
    const { site, state } = step;
    if (!isOver(step) && !sites.has(site)) {
      const message = "the site is no member any more";
      return { ...step, state: state === "Initial" ? "Skipped" : "Failed", message };
    }
    return told(step, operations.get(site));
  });
  const stops = stopOnFailure && steps.some(({ state }) => state === "Failed");
  if (spec.aborted) {
    steps = steps.map((one) => (one.state === "Initial" ? { ...one, state: "Aborted" } : one));
  }
  const mayStart = !stops && !spec.paused && !spec.aborted;
  let room = maxParallel - steps.filter(({ state }) => state === "Applying").length;
  // A hub that crashed may have chosen a site without asking it.
  const start = steps
    .filter(({ site, state }) => state === "Applying" && !operations.has(site))
    .map(({ site }) => site);
  steps = steps.map((step): SiteStep => {
    if (step.state !== "Initial") return step;
    const why = obstacle(sites.get(step.site)!, spec.force ?? false);
    if (why !== undefined) return { site: step.site, state: "Initial", message: why };
    if (!mayStart || room <= 0) return { site: step.site, state: "Initial" };
    room--;
    start.push(step.site);
    return { site: step.site, state: "Applying", message: "the site was asked" };
  });
  const isStopped = stops && steps.some(({ state }) => state === "Initial");
  const state = stateOf(steps, input, isStopped);
  const done = steps.filter(isOver).length;
  const message = messageOf(state, steps, isStopped);
  return { start, status: { state, message, done, total: steps.length, sites: steps } };
}
