// Cron schedules as Kubernetes writes them: five fields, `@daily` and its like, or `@every 90m`, in a
// time zone of the IANA's, where a time that the clock skips or repeats is handled by croner.
import { Cron } from "croner";
import { cronFields } from "./cron-fields.ts";
import { durationMs } from "./parse-duration.ts";

export interface Schedule {
  /** The first run after `after`, wall clock ms; undefined when there is none. */
  next(after: number): number | undefined;
  /** The last run at or before `at` and after `since`. */
  last(at: number, since: number): number | undefined;
}

/** Counts from `start`, in whole seconds. */
function every(ms: number, start: number): Schedule {
  const first = Math.trunc(start / 1000) * 1000;
  const countAt = (at: number) => Math.max(Math.floor((at - first) / ms), 0);
  return {
    next: (after) => first + (countAt(after) + 1) * ms,
    last(at, since) {
      const run = first + countAt(at) * ms;
      return run > since && run > first ? run : undefined;
    },
  };
}

/** By the name of the IANA's; a mere offset is none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions();
    // Other names may mean the same zone, but none is written in another case.
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

/** `start` is what `@every` counts from. Throws when the text is no schedule. */
export function parseSchedule(text: string, timeZone: string, start: number): Schedule {
  if (text.startsWith("@every ")) {
    // Less than a second, and less than nothing, is a second.
    const ms = durationMs(text.slice("@every ".length).replace(/^[-+]/, ""));
    if (ms === undefined) throw new Error(`failed to parse duration ${text}`);
    const isNegative = text.startsWith("@every -");
    return every(isNegative ? 1000 : Math.max(Math.trunc(ms / 1000) * 1000, 1000), start);
  }
  const cron = new Cron(cronFields(text), { paused: true, timezone: timeZone, mode: "5-part" });
  return {
    next: (after) => cron.nextRun(new Date(after))?.getTime(),
    last(at, since) {
      const run = cron.previousRuns(1, new Date(at + 1))[0]?.getTime();
      return run !== undefined && run > since ? run : undefined;
    },
  };
}
