// CEL's extended strings, as far as the evaluator lacks them.
import type { Environment } from "@marcbachmann/cel-js";
import { isUint } from "./values.ts";

/** Replaces at most `limit` times; below zero all. */
function replace(text: string, from: string, to: string, limit = -1n): string {
  if (limit === 0n) return text;
  if (limit < 0n) return text.replaceAll(from, () => to);
  const parts = text.split(from);
  const count = Math.min(Number(limit), parts.length - 1);
  return (
    parts.slice(0, count + 1).join(to) +
    parts
      .slice(count + 1)
      .map((part) => from + part)
      .join("")
  );
}

function at(text: string, index: bigint): string {
  if (index < 0n || index > BigInt(text.length)) throw new Error(`index out of range: ${index}`);
  return text.charAt(Number(index));
}

function print(value: any): string {
  if (value === null) return "null";
  if (value instanceof Date) return value.toISOString().replace(".000Z", "Z");
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (Array.isArray(value)) return `[${value.map(print).join(", ")}]`;
  const isMap = value instanceof Map;
  if (isMap || Object.getPrototypeOf(value) === Object.prototype) {
    const pairs: [unknown, unknown][] = isMap ? [...value] : Object.entries(value);
    const printed = pairs.map(([key, one]) => `${print(key)}: ${print(one)}`);
    return `{${printed.sort().join(", ")}}`;
  }
  return String(value);
}

/** What each verb may be given. */
const accepted: Record<string, (value: any) => boolean> = {
  d: (value) => isWhole(value) || typeof value === "number",
  f: (value) => isWhole(value) || typeof value === "number",
  e: (value) => isWhole(value) || typeof value === "number",
  b: (value) => isWhole(value) || typeof value === "boolean",
  o: (value) => isWhole(value),
  x: (value) => isWhole(value) || typeof value === "string" || value instanceof Uint8Array,
};
const isWhole = (value: any) => typeof value === "bigint" || isUint(value);

function formatOne(verb: string, precision: string | undefined, value: any): string {
  if (accepted[verb.toLowerCase()]?.(value) === false) {
    throw new Error(`error during formatting: %${verb} cannot show what it is given`);
  }
  if (isUint(value)) value = BigInt(value.valueOf());
  switch (verb) {
    case "d":
      return String(value);
    case "f":
      return Number(value).toFixed(precision === undefined ? 6 : Number(precision));
    case "e":
      return Number(value)
        .toExponential(precision === undefined ? 6 : Number(precision))
        .replace(/e([+-])(\d)$/, "e$10$2");
    case "b":
      return typeof value === "boolean" ? String(Number(value)) : value.toString(2);
    case "o":
      return value.toString(8);
    case "x":
    case "X": {
      const isText = typeof value === "string" || value instanceof Uint8Array;
      const text = isText ? Buffer.from(value as string).toString("hex") : value.toString(16);
      return verb === "x" ? text : text.toUpperCase();
    }
    default:
      return print(value);
  }
}

/** `"%s is %d".format([a, b])`. */
function format(template: string, values: unknown[]): string {
  let next = 0;
  return template.replace(/%(?:\.(\d+))?([^])/g, (whole, precision, verb) => {
    if (whole === "%%") return "%";
    if (!"sdfebxXo".includes(verb)) {
      throw new Error(
        `could not parse formatting clause: unrecognized formatting clause ${JSON.stringify(verb)}`,
      );
    }
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    return formatOne(verb, precision, values[next++]);
  });
}

function addString(environment: Environment, signature: string, run: (...args: any[]) => unknown) {
  try {
    environment.registerFunction(`string.${signature}`, run);
  } catch (error) {
    // The evaluator has it: its own is as good.
    if (!String(error).includes("overlaps")) throw error;
  }
}

class Strings {}

const escapes: Record<string, string> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** `strings.quote(text)`: safe to print. */
const quote = (text: string) =>
  `"${[...text.toWellFormed()].map((one) => escapes[one] ?? one).join("")}"`;

export function addStrings(environment: Environment) {
  environment
    .registerType("kubernetes.Strings", { ctor: Strings } as never)
    .registerConstant("strings", "kubernetes.Strings", new Strings())
    .registerFunction("kubernetes.Strings.quote(string): string", (_: Strings, text: string) =>
      quote(text),
    );
  const add = (signature: string, run: (...args: any[]) => unknown) =>
    addString(environment, signature, run);
  add("charAt(int): string", at);
  add("indexOf(string): int", (text: string, part: string) => BigInt(text.indexOf(part)));
  add("indexOf(string, int): int", (text: string, part: string, from: bigint) =>
    BigInt(text.indexOf(part, Number(from))),
  );
  add("lastIndexOf(string): int", (text: string, part: string) => BigInt(text.lastIndexOf(part)));
  add("lowerAscii(): string", (text: string) => text.replace(/[A-Z]/g, (one) => one.toLowerCase()));
  add("upperAscii(): string", (text: string) => text.replace(/[a-z]/g, (one) => one.toUpperCase()));
  add("replace(string, string): string", replace);
  add("replace(string, string, int): string", replace);
  add("split(string): list<string>", (text: string, by: string) => text.split(by));
  add("split(string, int): list<string>", (text: string, by: string, limit: bigint) => {
    if (limit < 0n) return text.split(by);
    if (limit === 0n) return [];
    const parts = text.split(by);
    const head = parts.slice(0, Number(limit) - 1);
    return [...head, parts.slice(head.length).join(by)];
  });
  add("substring(int): string", (text: string, from: bigint) => text.slice(Number(from)));
  add("substring(int, int): string", (text: string, from: bigint, to: bigint) =>
    text.slice(Number(from), Number(to)),
  );
  add("trim(): string", (text: string) => text.trim());
  add("reverse(): string", (text: string) => [...text].reverse().join(""));
  add("format(list): string", format);
  const join = (signature: string, run: (...args: any[]) => unknown) => {
    try {
      environment.registerFunction(signature, run);
    } catch (error) {
      if (!String(error).includes("overlaps")) throw error;
    }
  };
  join("list.join(): string", (list: string[]) => list.join(""));
  join("list.join(string): string", (list: string[], by: string) => list.join(by));
}
