// When a Job has failed, or succeeded, before all its pods have run.
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, invalidValue, required, supported } from "../field-checks.ts";
import { qualifiedName } from "../name-rules.ts";
import { each, fields, named, none, orEmpty, tooLong, tooMany } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

type Any = Record<string, any>;

const rulesMax = 20;
const conditionsMax = 20;
const exitCodesMax = 255;
const indexCharsMax = 64 * 1024;

const oneOfListed =
  (values: string[]): Rule =>
  (value, at) => {
    const list = values.map((one) => JSON.stringify(one)).join(" ");
    return value === "" ? [required(at, `valid values: [${list}]`)] : supported(at, value, values);
  };

const action = oneOfListed(["Count", "FailIndex", "FailJob", "Ignore"]);
const operator = oneOfListed(["In", "NotIn"]);

const condition = fields({
  type: orEmpty(named(qualifiedName)),
  status: orEmpty(oneOfListed(["False", "True", "Unknown"])),
});

const most = (list: unknown[], max: number, at: string): Errors =>
  list.length > max ? [tooMany(at, list.length, max)] : none;

function valueErrors(values: number[], isIn: boolean, at: string): Errors {
  if (values.length === 0) return [invalidValue(at, values, "at least one value is required")];
  const errors: FieldError[] = [...most(values, exitCodesMax, at)];
  for (const [i, value] of values.entries()) {
    const zero = "must not be 0 for the In operator";
    if (isIn && value === 0) errors.push(invalidValue(`${at}[${i}]`, value, zero));
    if (values.indexOf(value) < i) errors.push(duplicate(`${at}[${i}]`, value));
  }
  const isOrdered = values.every((value, i) => i === 0 || values[i - 1]! <= value);
  return isOrdered ? errors : [...errors, invalidValue(at, values, "must be ordered")];
}

const nameWhy = "must be one of the container or initContainer names in the pod template";

function exitCodeErrors(codes: Any, at: string, names: Set<string>): Errors {
  const { operator: how = "", containerName: name, values = [] } = codes;
  return [
    ...operator(how, `${at}.operator`),
    ...(name === undefined || names.has(name)
      ? none
      : [invalidValue(`${at}.containerName`, name, nameWhy)]),
    ...valueErrors(values, how === "In", `${at}.values`),
  ];
}

/** An error that tells no value. */
const invalid = (field: string, why: string): FieldError => ({
  type: "FieldValueInvalid",
  field,
  message: `Invalid value: ${why}`,
});

function failureRuleErrors(rule: Any, at: string, job: Any, names: Set<string>): Errors {
  const { action: what = "", onExitCodes, onPodConditions = [] } = rule;
  const errors: FieldError[] = [...action(what, `${at}.action`)];
  if (what === "FailIndex" && job["backoffLimitPerIndex"] === undefined) {
    const why = "requires the backoffLimitPerIndex to be set";
    errors.push(invalidValue(`${at}.action`, what, why));
  }
  if (onExitCodes) errors.push(...exitCodeErrors(onExitCodes, `${at}.onExitCodes`, names));
  errors.push(
    ...most(onPodConditions, conditionsMax, `${at}.onPodConditions`),
    ...each(condition)(onPodConditions, `${at}.onPodConditions`),
  );
  const count = (onExitCodes ? 1 : 0) + (onPodConditions.length > 0 ? 1 : 0);
  const told = "OnExitCodes and OnPodConditions is";
  if (count > 1) errors.push(invalid(at, `specifying both ${told} not supported`));
  if (count === 0) errors.push(invalid(at, `specifying one of ${told} required`));
  return errors;
}

/** Of the JobSpec `job`, at `at`. */
export function failurePolicyErrors(job: Any, at: string): Errors {
  const { rules = [] } = job["podFailurePolicy"];
  const { containers = [], initContainers = [] } = job["template"]?.spec ?? {};
  const names = new Set<string>([...containers, ...initContainers].map(({ name }) => name));
  return [
    ...most(rules, rulesMax, `${at}.rules`),
    ...rules.flatMap((rule: Any, i: number) =>
      failureRuleErrors(rule, `${at}.rules[${i}]`, job, names),
    ),
  ];
}

/** How many indexes `text` names (`1,3-5`); a text when it names none. */
function countIndexes(text: string, completions: number): number | string {
  if (text === "") return 0;
  let [count, last] = [0, -1];
  for (const part of text.split(",")) {
    const limits = part.split("-");
    if (limits.length > 2) {
      return `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    }
    const numbers: number[] = [];
    for (const limit of limits) {
      if (!/^\+?\d+$/.test(limit)) {
        return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
      }
      if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
      numbers.push(Number(limit));
    }
    const [from, to] = [numbers[0]!, numbers.at(-1)!];
    const falls = (before: number, now: number) =>
      `non-increasing order, previous: ${before}, current: ${now}`;
    if (numbers.length > 1 && from >= to) return falls(from, to);
    if (last >= from) return falls(last, from);
    count += to - from + 1;
    last = to;
  }
  return count;
}

const eitherWhy = "at least one of succeededCount or succeededIndexes must be specified";

function successRuleErrors(rule: Any, at: string, completions: number): Errors {
  const { succeededIndexes: indexes, succeededCount: count } = rule;
  if (indexes === undefined && count === undefined) return [required(at, eitherWhy)];
  const errors: FieldError[] = [];
  let named: number | string = 0;
  if (indexes !== undefined) {
    const field = `${at}.succeededIndexes`;
    if (indexes.length > indexCharsMax) errors.push(tooLong(field, indexCharsMax));
    named = countIndexes(indexes, completions);
    if (typeof named === "string") {
      errors.push(invalidValue(field, indexes, `error parsing succeededIndexes: ${named}`));
    }
  }
  if (count === undefined) return errors;
  const wrong = (why: string) => errors.push(invalidValue(`${at}.succeededCount`, count, why));
  const less = (max: number, what: string) =>
    wrong(`must be less than or equal to ${max} (the number of ${what})`);
  if (count < 0) wrong("must be greater than or equal to 0");
  if (count > completions) less(completions, "specified completions");
  const known = typeof named === "number" ? named : 0;
  if (indexes !== undefined && count > known) {
    less(known, "indexes in the specified succeededIndexes field");
  }
  return errors;
}

const noneWhy = "at least one rules must be specified when the successPolicy is specified";

/** Of the JobSpec `job`, whose pods have indexes, at `at`. */
export function successPolicyErrors(job: Any, at: string): Errors {
  const { rules = [] } = job["successPolicy"];
  const field = `${at}.rules`;
  return [
    ...(rules.length === 0 ? [required(field, noneWhy)] : none),
    ...most(rules, rulesMax, field),
    ...rules.flatMap((rule: Any, i: number) =>
      successRuleErrors(rule, `${field}[${i}]`, job["completions"] ?? 0),
    ),
  ];
}
