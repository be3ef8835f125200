// What may be told of a Job: how far it is, and an end that it does not take back. What is judged is what changed.
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, invalidValue, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { atLeast, fields, none } from "../rules.ts";
import type { Errors } from "../rules.ts";

const count = atLeast(0);
const counts = fields({
  active: count,
  succeeded: count,
  failed: count,
  ready: count,
  terminating: count,
});

/** Of what ended and is not counted yet; no pod is in both lists. */
function uncountedErrors({ uncountedTerminatedPods: uncounted }: any): Errors {
  if (!uncounted) return none;
  const seen = new Set<string>();
  return ["succeeded", "failed"].flatMap((list) =>
    (uncounted[list] ?? []).flatMap((uid: string, i: number) => {
      const at = `status.uncountedTerminatedPods.${list}[${i}]`;
      if (!uid) return [invalidValue(at, uid ?? "", "must not be empty")];
      if (seen.has(uid)) return [duplicate(at, uid)];
      seen.add(uid);
      return none;
    }),
  );
}

const conditionsAre = (why: string): FieldError => ({
  type: "FieldValueInvalid",
  field: "status.conditions",
  message: `Invalid value: ${why}`,
});

interface Seen {
  is: Record<string, boolean>;
  isFinished: boolean;
  status: any;
}

function seenIn(status: any): Seen {
  const has = (type: string) =>
    (status.conditions ?? []).some((one: any) => one.type === type && one.status === "True");
  const types = ["Complete", "Failed", "FailureTarget", "SuccessCriteriaMet", "Suspended"];
  const is = Object.fromEntries(types.map((type) => [type, has(type)]));
  return { is, isFinished: is["Complete"]! || is["Failed"]!, status };
}

type Check = [changed: boolean, wrong: unknown, error: () => FieldError];
const found = (checks: Check[]): Errors =>
  checks.filter(([changed, wrong]) => changed && wrong).map(([, , error]) => error());

function conditionErrors({ is }: Seen, old: Seen): Errors {
  const changed = (...types: string[]) => types.some((type) => is[type] !== old.is[type]);
  const { Complete, Failed, FailureTarget, SuccessCriteriaMet } = is;
  const checks: [boolean, unknown, string][] = [
    [
      changed("Complete", "Failed"),
      Complete && Failed,
      "cannot set Complete=True and Failed=true conditions",
    ],
    [
      changed("Complete", "FailureTarget"),
      Complete && FailureTarget,
      "cannot set Complete=True and FailureTarget=true conditions",
    ],
    [
      changed("Failed"),
      Failed && !FailureTarget,
      "cannot set Failed=True condition without the FailureTarget=true condition",
    ],
    [
      changed("Complete", "SuccessCriteriaMet"),
      Complete && !SuccessCriteriaMet,
      "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    ],
    [
      true,
      SuccessCriteriaMet && Failed,
      "cannot set SuccessCriteriaMet=True and Failed=true conditions",
    ],
    [
      true,
      SuccessCriteriaMet && FailureTarget,
      "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
    ],
    ...["Failed", "Complete", "FailureTarget"].map((type): [boolean, unknown, string] => [
      true,
      old.is[type] && !is[type],
      `cannot disable the terminal ${type}=True condition`,
    ]),
    [
      true,
      old.is["SuccessCriteriaMet"] && !SuccessCriteriaMet,
      "cannot disable the SuccessCriteriaMet=True condition",
    ],
  ];
  return found(checks.map(([when, wrong, why]) => [when, wrong, () => conditionsAre(why)]));
}

function timeErrors({ is, status, isFinished }: Seen, old: Seen, spec: any): Errors {
  const differs = (field: string) => status[field] !== old.status[field];
  const { startTime: start, completionTime: end } = status;
  const [startAt, endAt] = ["status.startTime", "status.completionTime"];
  const completes = is["Complete"] !== old.is["Complete"] || differs("completionTime");
  const finishes = isFinished !== old.isFinished || differs("startTime");
  const isEmpty = spec.suspend === true && spec.completions === 0;
  const mustBeComplete = "cannot set completionTime when there is no Complete=True condition";
  const isEarly = start && end && Date.parse(end) < Date.parse(start);
  const oldStart = old.status.startTime;
  return found([
    [completes, end && !is["Complete"], () => invalidValue(endAt, end, mustBeComplete)],
    [
      completes,
      !end && is["Complete"],
      () => required(endAt, "completionTime is required for Complete jobs"),
    ],
    [
      differs("startTime") || differs("completionTime"),
      isEarly,
      () => invalidValue(endAt, end, "must be equal to or after `startTime`"),
    ],
    [
      finishes && !isEmpty,
      !start && isFinished,
      () => required(startAt, "startTime is required for finished job"),
    ],
    [
      true,
      end && old.status.completionTime && end !== old.status.completionTime,
      () => invalidValue(endAt, end, "field is immutable"),
    ],
    [
      !(old.is["Suspended"] && !is["Suspended"]) && spec.suspend !== true,
      oldStart && oldStart !== start,
      () => invalidValue(startAt, start ?? null, "field is immutable for unsuspended job once set"),
    ],
  ]);
}

function podErrors({ status, isFinished }: Seen, old: Seen, spec: any): Errors {
  const differs = (field: string) => !jsonEqual(status[field], old.status[field]);
  const isOver = isFinished !== old.isFinished;
  const { active = 0, ready, terminating, succeeded = 0, failed = 0 } = status;
  const { succeeded: gone = [], failed: lost = [] } = status.uncountedTerminatedPods ?? {};
  const mayShrink = spec.completionMode === "Indexed" && spec.completions === spec.parallelism;
  const at = (field: string, why: string) => () =>
    invalidValue(`status.${field}`, status[field] ?? 0, why);
  return found([
    [
      isOver || differs("active"),
      active > 0 && isFinished,
      at("active", "active>0 is invalid for finished job"),
    ],
    [
      isOver || differs("uncountedTerminatedPods"),
      isFinished && gone.length + lost.length > 0,
      at("uncountedTerminatedPods", "must be empty for finished job"),
    ],
    [
      isOver || differs("terminating"),
      terminating > 0 && isFinished,
      at("terminating", "terminating>0 is invalid for finished job"),
    ],
    [
      differs("ready") || differs("active"),
      ready > active,
      at("ready", "cannot set more ready pods than active"),
    ],
    [true, failed < (old.status.failed ?? 0), at("failed", "cannot decrease the failed counter")],
    [
      !mayShrink,
      succeeded < (old.status.succeeded ?? 0),
      at("succeeded", "cannot decrease the succeeded counter"),
    ],
  ]);
}

/** Indexes as `0-2,5`: why they are none, or all of them. */
function indexesOf(text: string, completions: number): { why: string } | { indexes: Set<number> } {
  const indexes = new Set<number>();
  if (text === "") return { indexes };
  let last = -1;
  for (const part of text.split(",")) {
    const ends = part.split("-");
    if (ends.length > 2) {
      return {
        why: `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`,
      };
    }
    const wrong = ends.find((one) => !/^[+-]?\d+$/.test(one));
    if (wrong !== undefined) {
      return { why: `cannot convert string to integer for index: ${JSON.stringify(wrong)}` };
    }
    const [from = 0, to = from] = ends.map(Number);
    if (from >= completions || to >= completions) {
      return { why: `too large index: ${JSON.stringify(from >= completions ? ends[0] : ends[1])}` };
    }
    if (last >= from) return { why: `non-increasing order, previous: ${last}, current: ${from}` };
    if (ends.length === 2 && from >= to)
      return { why: `non-increasing order, previous: ${from}, current: ${to}` };
    for (let i = from; i <= to; i++) indexes.add(i);
    last = to;
  }
  return { indexes };
}

function indexErrors({ status }: Seen, old: Seen, spec: any): Errors {
  const { completedIndexes: done = "", failedIndexes: lost } = status;
  const [isDone, isLost] = [
    done !== (old.status.completedIndexes ?? ""),
    lost !== old.status.failedIndexes,
  ];
  const { completions, completionMode, backoffLimitPerIndex } = spec;
  const of = (text: string) =>
    completions === undefined ? undefined : indexesOf(text, completions);
  const [finished, failed] = [of(done), of(lost ?? "")];
  const tell = (field: string, text: string, why: string) => () =>
    invalidValue(`status.${field}`, text, why);
  const [isDoneWrong, isLostWrong] = [finished && "why" in finished, failed && "why" in failed];
  const common =
    lost !== undefined && finished && failed && "indexes" in finished && "indexes" in failed
      ? [...failed.indexes].find((one) => finished.indexes.has(one))
      : undefined;
  return found([
    [
      isDone,
      isDoneWrong,
      tell("completedIndexes", done, `error parsing completedIndexes: ${(finished as any)?.why}`),
    ],
    [
      isLost && backoffLimitPerIndex !== undefined,
      lost !== undefined && isLostWrong,
      tell("failedIndexes", lost, `error parsing failedIndexes: ${(failed as any)?.why}`),
    ],
    [
      isDone,
      done !== "" && completionMode !== "Indexed",
      tell(
        "completedIndexes",
        done,
        "cannot set non-empty completedIndexes when non-indexed completion mode",
      ),
    ],
    [
      isLost,
      lost !== undefined && backoffLimitPerIndex === undefined,
      tell(
        "failedIndexes",
        lost,
        "cannot set non-null failedIndexes when backoffLimitPerIndex is null",
      ),
    ],
    [
      isDone || isLost,
      common !== undefined,
      tell("failedIndexes", lost, `failedIndexes and completedIndexes overlap at index: ${common}`),
    ],
  ]);
}

export function jobStatusErrors({ object, old }: Change): Errors {
  const { status = {}, spec = {} } = object;
  const [now, before] = [seenIn(status), seenIn(old?.status ?? {})];
  return [
    ...counts(status, "status"),
    ...uncountedErrors(status),
    ...conditionErrors(now, before),
    ...timeErrors(now, before, spec),
    ...podErrors(now, before, spec),
    ...indexErrors(now, before, spec),
  ];
}
