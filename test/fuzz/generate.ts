// What a hostile or broken client may send, drawn from a seed.
import { isObject } from "../../src/lib/json.ts";
import type { Random } from "../../src/lib/random.ts";
import type { Definitions, Schema } from "../../src/kinds/schema.ts";
import { resolve } from "../../src/kinds/schema.ts";

const words = [
  "a",
  "default",
  "metadata",
  "name",
  "spec",
  "status",
  "labels",
  "app",
  "kubernetes.io/metadata.name",
  "__proto__",
  "constructor",
  "toString",
  "",
  " ",
  "A_b-C.9",
  "é😀",
  "\u0000",
  "\ud800",
  "../..",
  "%2e%2e%2f",
  "10Mi",
  "-1e3",
  "99999999999999999999E",
  "10.0.0.1",
  "fe80::1%eth0",
  "2020-01-01T00:00:00Z",
  "9999-99-99T99:99:99Z",
  "$(A)",
  "*",
  "{{}}",
  "x".repeat(64),
  "x".repeat(300),
];
const numbers = [0, 1, -1, 2, 65_535, 65_536, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 0.5, 1e-7];
const deepMax = 4;

export class Generator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(count: number): number {
    return Math.floor(this.#random.float() * count);
  }

  chance(share: number): boolean {
    return this.#random.float() < share;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  times<T>(max: number, make: () => T): T[] {
    return Array.from({ length: this.below(max + 1) }, make);
  }

  word(): string {
    return this.pick(words);
  }

  bytes(max: number): Buffer {
    return Buffer.from(this.times(max, () => this.below(256)));
  }

  json(deep = 0): unknown {
    const scalars = [() => null, () => this.chance(0.5), () => this.word(), () => this.number()];
    if (deep >= deepMax || this.chance(0.5)) return this.pick(scalars)();
    if (this.chance(0.5)) return this.times(3, () => this.json(deep + 1));
    return Object.fromEntries(this.times(3, () => [this.word(), this.json(deep + 1)]));
  }

  number(): number {
    return this.pick(numbers);
  }

  /** Mostly what `schema` asks for; sometimes something else. */
  ofSchema(given: Schema, definitions: Definitions, deep = 0): unknown {
    if (this.chance(0.03)) return this.json(deepMax - 1);
    const schema = resolve(given, definitions);
    if (schema.enum) return this.pick(schema.enum);
    if (schema["x-kubernetes-int-or-string"]) return this.pick([80, "10%", "http", "1Gi"]);
    if (schema.type === "array") {
      if (deep > deepMax || !schema.items) return [];
      return this.times(2, () => this.ofSchema(schema.items!, definitions, deep + 1));
    }
    if (schema.type === "object" || schema.properties) {
      return this.#objectOf(schema, definitions, deep);
    }
    if (schema.type === "boolean") return this.chance(0.5);
    if (schema.type === "integer" || schema.type === "number") return this.number();
    return this.word();
  }

  #objectOf(schema: Schema, definitions: Definitions, deep: number): object {
    const entries: [string, unknown][] = [];
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const wanted = schema.required?.includes(name) || (deep < deepMax && this.chance(0.25));
      if (wanted && deep < 2 * deepMax) {
        entries.push([name, this.ofSchema(property, definitions, deep + 1)]);
      }
    }
    if (isObject(schema.additionalProperties)) {
      const values = schema.additionalProperties as Schema;
      const add = () => [this.word(), this.ofSchema(values, definitions, deep + 1)] as const;
      entries.push(...this.times(2, () => [...add()] as [string, unknown]));
    }
    return Object.fromEntries(entries);
  }

  /** `value` with something in it exchanged, removed, doubled or moved. */
  mutated(value: unknown): unknown {
    if (this.chance(0.15) || typeof value !== "object" || value === null) return this.json(2);
    if (Array.isArray(value)) {
      const out = [...value];
      const at = this.below(out.length || 1);
      const what = this.below(5);
      if (what === 0) out.push(...out);
      else if (what === 1) out.splice(at, 1);
      else out[at] = this.mutated(out[at]);
      return out;
    }
    const out: Record<string, unknown> = { ...value };
    const key = this.chance(0.8) ? this.pick([...Object.keys(out), "x"]) : this.word();
    if (this.chance(0.2)) delete out[key];
    else out[key] = this.mutated(out[key]);
    return out;
  }

  /** A JSON pointer that mostly leads somewhere in `value`. */
  pointer(value: unknown): string {
    let at = value;
    let path = "";
    while (typeof at === "object" && at !== null && this.chance(0.8)) {
      const keys = [...Object.keys(at), "-", this.word()];
      const key = this.pick(keys);
      path += `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      at = (at as Record<string, unknown>)[key];
    }
    return path;
  }

  /** Tokens of a small language in any order. */
  sentence(tokens: readonly string[], max: number): string {
    return this.times(max, () => (this.chance(0.9) ? this.pick(tokens) : this.word())).join("");
  }
}
