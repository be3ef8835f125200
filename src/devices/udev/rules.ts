// The rules by which Akri's udev handler chooses devices: the matching half of udev's own language. Pure.
import { DetailsError } from "../discovery/handler.ts";

const withKey = ["ATTR", "ATTRS", "ENV"] as const;
const plain = [
  "DEVPATH",
  "DRIVER",
  "DRIVERS",
  "KERNEL",
  "KERNELS",
  "SUBSYSTEM",
  "SUBSYSTEMS",
  "TAG",
  "TAGS",
] as const;

export type Field = (typeof withKey)[number] | (typeof plain)[number];

export interface Term {
  field: Field;
  /** Of ATTR, ATTRS and ENV. */
  key: string;
  negated: boolean;
  value: string;
}

/** All terms must hold. */
export type Rule = Term[];

const ruleCharsMax = 4096;
const term =
  /\s*([A-Z_]+)(?:\{([A-Za-z0-9 $._*?[\]\-|\\/]+)\})?\s*(==|!=|\+=|-=|:=|=)\s*"([^"]*)"\s*/y;
const valueCharacters = /^[A-Za-z0-9 $._*?[\]\-|\\/:%{}]*$/;

const wrong = (rule: string, why: string) =>
  new DetailsError(`udev rule ${JSON.stringify(rule.slice(0, 200))}: ${why}`);

const includes = <T extends string>(list: readonly T[], value: string): value is T =>
  (list as readonly string[]).includes(value);

/** Throws DetailsError with what is wrong. */
export function parseRule(rule: string): Rule {
  if (rule.length > ruleCharsMax) throw wrong(rule, `it is longer than ${ruleCharsMax}`);
  const terms: Rule = [];
  let at = 0;
  do {
    term.lastIndex = at;
    const match = term.exec(rule);
    if (!match) throw wrong(rule, `FIELD=="VALUE" is expected at character ${at + 1}`);
    const [all, field = "", key = "", operator = "", value = ""] = match;
    if (operator !== "==" && operator !== "!=") {
      throw wrong(rule, `${operator} is an action; only == and != choose devices`);
    }
    const keyed = includes(withKey, field);
    if (!keyed && !includes(plain, field)) throw wrong(rule, `${field} is not supported`);
    if (keyed !== (key !== "")) {
      throw wrong(rule, keyed ? `${field} needs a {key}` : `${field} takes no {key}`);
    }
    if (!valueCharacters.test(value)) throw wrong(rule, `${JSON.stringify(value)} is no value`);
    terms.push({ field, key, negated: operator === "!=", value });
    at += all.length;
  } while (rule[at++] === ",");
  if (at <= rule.length) throw wrong(rule, `a comma is expected at character ${at}`);
  return terms;
}
