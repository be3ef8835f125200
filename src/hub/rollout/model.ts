// What a rollout reads: OCM's rollout strategy, and what each site reports of the work it was given.

interface Limits {
  minSuccessTime?: string;
  progressDeadline?: string;
  maxFailures?: number | string;
}

interface MandatoryGroups {
  mandatoryDecisionGroups?: { groupName?: string; groupIndex?: number }[];
}

export interface RolloutStrategy {
  type?: string;
  all?: Limits;
  progressive?: Limits & MandatoryGroups & { maxConcurrency?: number | string };
  progressivePerGroup?: Limits & MandatoryGroups;
}

/** `Waiting`: the site does not have the new content; the rest is what it says of the new content. */
export type SiteState = "Waiting" | "Progressing" | "Succeeded" | "Failed";

export interface SiteReport {
  state: SiteState;
  /** Wall clock ms since when. */
  since: number;
}

export interface RolloutGroup {
  name: string;
  sites: string[];
}

/** Whether a site may be changed now, and if not, when next (wall clock ms; Infinity: never). */
export type Window = { open: true } | { open: false; opensAt: number };

export interface RolloutState {
  strategy: RolloutStrategy;
  /** Decision groups in their order. */
  groups: RolloutGroup[];
  reports: ReadonlyMap<string, SiteReport>;
  now: number;
  windowOf?: (site: string) => Window;
  /** What must be over before anything new begins, such as an alarm, by site; "" for all sites. */
  blocked?: ReadonlyMap<string, string>;
  paused?: boolean;
  /** Why it was given up. */
  aborted?: string;
  onFailure?: "Stop" | "RollBack";
  /** Whether there is content that was rolled out whole before. */
  hasPrevious?: boolean;
}
