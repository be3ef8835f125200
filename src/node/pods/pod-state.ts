// What the agent alone knows of a pod: jobs under way, what failed last and when to try again, how probes
// went. All of it may be lost with Kerb; nothing here is needed to find a pod's containers again.
import type { Ending } from "./ending.ts";
import type { Instance } from "./instances.ts";
import { newResizeState } from "../resize/resizer.ts";
import type { ResizeState } from "../resize/resizer.ts";
import type { SandboxConfig } from "../runtime.ts";

/** Why a container waits, as in `state.waiting`, and when the next try is due. */
export interface Trouble {
  reason: string;
  message: string;
  retryAt: number;
  failures: number;
}

export interface ProbeResults {
  /** The startup probe passed, or there is none. */
  started: boolean;
  ready: boolean;
  /** Why the container must be restarted. */
  unhealthy?: string;
  /** Grace that the failed probe asks for. */
  graceSeconds?: number | undefined;
}

export interface Backoff {
  delayMs: number;
  at: number;
}

export interface PodState {
  /** Jobs under way: `sandbox`, `volumes`, `image/web`, `start/web`, `kill/web`, ... */
  busy: Set<string>;
  volumesReady: boolean;
  /** What runs the pod has to see its images before it makes the sandbox. */
  imagesFirst: boolean;
  /** Ids of images that are there for the next start, by container. */
  images: Map<string, string>;
  /** By container, or by what of the pod itself failed (`podTrouble`). */
  trouble: Map<string, Trouble>;
  backoffs: Map<string, Backoff>;
  /** By container id. */
  probes: Map<string, ProbeResults>;
  /** Termination messages by container id. */
  messages: Map<string, string>;
  sandboxConfig: SandboxConfig | undefined;
  resize: ResizeState;
  ending: Ending | undefined;
  /** Nothing begins until the node has decided. */
  admitting: boolean;
  /** The API has the pod no longer. */
  gone: boolean;
  /** All of it is stopped and removed. */
  finished: boolean;
}

export const newPodState = (): PodState => ({
  busy: new Set(),
  volumesReady: false,
  imagesFirst: false,
  images: new Map(),
  trouble: new Map(),
  backoffs: new Map(),
  probes: new Map(),
  messages: new Map(),
  sandboxConfig: undefined,
  resize: newResizeState(),
  ending: undefined,
  admitting: false,
  gone: false,
  finished: false,
});

/** What failures of the pod itself are kept by in `trouble`; no container has such a name. */
export const podTrouble = { volumes: "/volumes", sandbox: "/sandbox", resize: "/resize" } as const;

const crashDelayMs = 10_000;
const crashDelayMsMax = 300_000;
/** A container that ran this long starts over with the shortest delay. */
const crashResetMs = 600_000;

/** When an exited container may start again; `undefined` when at once. */
export function crashedUntil(
  state: PodState,
  { name, finishedAt }: Instance,
  now: number,
): { until: number; delayMs: number } | undefined {
  const backoff = state.backoffs.get(name);
  if (!backoff || finishedAt - backoff.at > crashResetMs) return undefined;
  const until = finishedAt + backoff.delayMs;
  return until > now ? { until, delayMs: backoff.delayMs } : undefined;
}

/** The back-off after a restart at `now`: the first restart is free, then 10 s doubling to 5 min. */
export function nextBackoff(before: Backoff | undefined, finishedAt: number, now: number): Backoff {
  if (!before || finishedAt - before.at > crashResetMs) return { delayMs: crashDelayMs, at: now };
  return { delayMs: Math.min(before.delayMs * 2, crashDelayMsMax), at: now };
}

/** Trouble number `failures + 1`, tried again after 10 s doubling to 5 min, or `firstMs`. */
export function nextTrouble(
  before: Trouble | undefined,
  reason: string,
  message: string,
  now: number,
  firstMs = crashDelayMs,
): Trouble {
  const failures = (before?.failures ?? 0) + 1;
  const delayMs = Math.min(firstMs * 2 ** Math.min(failures - 1, 20), crashDelayMsMax);
  return { reason, message, retryAt: now + delayMs, failures };
}
