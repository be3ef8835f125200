// What validation is written in. A rule judges a value at a path and tells every error; the ones here put small
// rules together, so that what a kind's fields may hold reads as a table. Nothing is made where nothing is wrong:
// every write passes here.
import type { FieldError } from "../lib/status-error.ts";
import { duplicate, forbiddenValue, invalidValue, required, supported } from "./field-checks.ts";
import type { NameRule } from "./name-rules.ts";

export type Errors = readonly FieldError[];
export type Rule = (value: any, at: string) => Errors;

export const none: Errors = Object.freeze([]);

const joined = (errors: Errors, found: Errors): Errors => {
  if (found.length === 0) return errors;
  return errors.length === 0 ? found : [...errors, ...found];
};

const isMissing = (value: any) => value === undefined || value === "" || value?.length === 0;

/** Rules that have to hear of fields that are not there. */
const ofAbsence = new WeakSet<Rule>();

const alsoAbsent = (rule: Rule): Rule => {
  ofAbsence.add(rule);
  return rule;
};

/** Each field that is there by its rule. */
export function fields(rules: Record<string, Rule>): Rule {
  const steps = Object.entries(rules).map(([name, rule]) => ({
    name,
    step: `.${name}`,
    rule,
    always: ofAbsence.has(rule),
  }));
  return (object, at) => {
    let errors = none;
    for (const { name, step, rule, always } of steps) {
      const value = object[name];
      if (value === undefined && !always) continue;
      errors = joined(errors, rule(value, at === "" ? name : at + step));
    }
    return errors;
  };
}

/** All of them, of the same value. */
export function all(...rules: Rule[]): Rule {
  const rule: Rule = (value, at) => {
    let errors = none;
    for (const one of rules) errors = joined(errors, one(value, at));
    return errors;
  };
  return rules.some((one) => ofAbsence.has(one)) ? alsoAbsent(rule) : rule;
}

/** The first that finds something. */
export const first =
  (...rules: Rule[]): Rule =>
  (value, at) => {
    for (const rule of rules) {
      const found = rule(value, at);
      if (found.length > 0) return found;
    }
    return none;
  };

/** Each item of a list. */
export const each =
  (rule: Rule): Rule =>
  (list, at) => {
    let errors = none;
    for (let i = 0; i < list.length; i++) errors = joined(errors, rule(list[i], `${at}[${i}]`));
    return errors;
  };

/** Each value of a map, at its key. */
export const eachValue =
  (rule: Rule): Rule =>
  (map, at) => {
    let errors = none;
    for (const key in map) errors = joined(errors, rule(map[key], `${at}[${key}]`));
    return errors;
  };

/** Has to be there, and not empty. */
export const needed = (rule: Rule = () => none, detail = ""): Rule =>
  alsoAbsent((value, at) => (isMissing(value) ? [required(at, detail)] : rule(value, at)));

/** Has to be there; that it is empty is the rule's affair. */
export const present = (rule: Rule = () => none, detail = ""): Rule =>
  alsoAbsent((value, at) => (value === undefined ? [required(at, detail)] : rule(value, at)));

/** A text that has to be there, with something in it besides white space. */
export const written = (detail = ""): Rule =>
  alsoAbsent((value, at) => ((value ?? "").trim() === "" ? [required(at, detail)] : none));

/** May be left out, but not be there and empty. */
export const notEmpty =
  (rule: Rule = () => none, detail = ""): Rule =>
  (value, at) =>
    isMissing(value) ? [required(at, detail)] : rule(value, at);

/** What is empty is as what is absent. */
export const given =
  (rule: Rule): Rule =>
  (value, at) =>
    isMissing(value) ? none : rule(value, at);

/** An object whose fields are judged even when it is left out. */
export const always = (rule: Rule): Rule => alsoAbsent((value, at) => rule(value ?? {}, at));

/** A text that is there is empty for Go's types when it is absent. */
export const orEmpty = (rule: Rule): Rule => alsoAbsent((value, at) => rule(value ?? "", at));

export const orZero = (rule: Rule): Rule => alsoAbsent((value, at) => rule(value ?? 0, at));

export const oneOf =
  (...values: string[]): Rule =>
  (value, at) =>
    values.includes(value) ? none : supported(at, value, values);

export const named =
  (rule: NameRule): Rule =>
  (text, at) => {
    const reasons = rule(text);
    return reasons.length === 0 ? none : reasons.map((why) => invalidValue(at, text, why));
  };

/** `why` may tell of the value. */
export const holds =
  (test: (value: any) => boolean, why: string | ((value: any) => string)): Rule =>
  (value, at) =>
    test(value) ? none : [invalidValue(at, value, typeof why === "string" ? why : why(value))];

export const between = (min: number, max: number): Rule =>
  holds((value) => value >= min && value <= max, `must be between ${min} and ${max}, inclusive`);

export const atLeast = (min: number): Rule =>
  holds((value) => value >= min, `must be greater than or equal to ${min}`);

export const positive = holds((value) => value > 0, "must be greater than 0");

/** A relation between fields of an object: what is wrong when it does not hold. */
export const relation =
  (test: (object: any) => boolean, wrong: (object: any, at: string) => FieldError): Rule =>
  (object, at) =>
    test(object) ? none : [wrong(object, at)];

/** No two items say the same by `key`; the later one is told. */
export const unique =
  (key: (item: any) => unknown = (item) => item, field = ""): Rule =>
  (list, at) => {
    if (list.length < 2) return none;
    const seen = new Set<unknown>();
    let errors = none;
    for (const [i, item] of list.entries()) {
      const value = key(item);
      if (value === undefined || value === "") continue;
      if (seen.has(value)) errors = [...errors, duplicate(`${at}[${i}]${field}`, value)];
      seen.add(value);
    }
    return errors;
  };

/** A rule that is told under another name than the field has, as upstream sometimes does. */
export const toldAs =
  (name: string, rule: Rule): Rule =>
  (value, at) =>
    rule(value, at.slice(0, at.lastIndexOf(".") + 1) + name);

export const tooLong = (field: string, max: number): FieldError => ({
  type: "FieldValueTooLong",
  field,
  message: `Too long: may not be more than ${max} bytes`,
});

export const tooMany = (field: string, count: number, max: number): FieldError => ({
  type: "FieldValueTooMany",
  field,
  message: `Too many: ${count}: must have at most ${max} items`,
});

/** No more items than that; then nothing else is looked at. */
export const atMost =
  (max: number, rule: Rule = () => none): Rule =>
  (list, at) =>
    list.length > max ? [tooMany(at, list.length, max)] : rule(list, at);

/** An object that is one of several things: by its field. `rest` are fields that say something else. */
export function oneSource(rules: Record<string, Rule>, missing: string, many: string): Rule {
  const kinds = Object.entries(rules);
  return (object, at) => {
    let errors = none;
    let count = 0;
    for (const [name, rule] of kinds) {
      const value = object[name];
      if (value === undefined) continue;
      count += 1;
      const field = `${at}.${name}`;
      errors = joined(errors, count > 1 ? [forbiddenValue(field, many)] : rule(value, field));
    }
    return count === 0 ? [required(at, missing)] : errors;
  };
}
