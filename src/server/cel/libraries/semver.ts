// Semantic versions: `semver("1.2.3-rc.1")`, compared as semver.org says.
import type { Environment } from "@marcbachmann/cel-js";

const form =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/;

/** `v1.2` as `1.2.0`. */
function normalized(text: string): string {
  const [, numbers = "", rest = ""] = /^v?([\d.]+)(.*)$/s.exec(text) ?? [];
  const parts = numbers.split(".").map((part) => part.replace(/^0+(?=\d)/, ""));
  while (parts.length < 3) parts.push("0");
  return parts.join(".") + rest;
}

export class Semver {
  readonly numbers: number[];
  readonly pre: string[];

  constructor(text: string) {
    const match = form.exec(text);
    if (!match) throw new Error(`No valid semver: ${JSON.stringify(text)}`);
    this.numbers = match.slice(1, 4).map(Number);
    this.pre = match[4]?.split(".") ?? [];
  }
}

function comparePart(a: string, b: string): number {
  const numeric = (part: string) => /^\d+$/.test(part);
  if (numeric(a) && numeric(b)) return Number(a) - Number(b);
  if (numeric(a) !== numeric(b)) return numeric(a) ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function compare(a: Semver, b: Semver): number {
  for (let i = 0; i < 3; i++) {
    if (a.numbers[i] !== b.numbers[i]) return a.numbers[i]! - b.numbers[i]!;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (let i = 0; i < Math.min(a.pre.length, b.pre.length); i++) {
    const part = comparePart(a.pre[i]!, b.pre[i]!);
    if (part !== 0) return part;
  }
  return a.pre.length - b.pre.length;
}

const isSemver = (text: string, normalize = false) =>
  form.test(normalize ? normalized(text) : text);

export function addSemver(environment: Environment) {
  environment
    .registerType("kubernetes.Semver", { ctor: Semver } as never)
    .registerOperator(
      "kubernetes.Semver == kubernetes.Semver",
      (a: Semver, b: Semver) => compare(a, b) === 0,
    )
    .registerFunction("isSemver(string): bool", (text: string) => isSemver(text))
    .registerFunction("isSemver(string, bool): bool", isSemver)
    .registerFunction("semver(string): kubernetes.Semver", (text: string) => new Semver(text))
    .registerFunction(
      "semver(string, bool): kubernetes.Semver",
      (text: string, normalize: boolean) => new Semver(normalize ? normalized(text) : text),
    );
  for (const [i, name] of ["major", "minor", "patch"].entries()) {
    environment.registerFunction(`kubernetes.Semver.${name}(): int`, ({ numbers }: Semver) =>
      BigInt(numbers[i]!),
    );
  }
  const method = (signature: string, run: (a: Semver, b: Semver) => unknown) =>
    environment.registerFunction(`kubernetes.Semver.${signature}`, run);
  method("isGreaterThan(kubernetes.Semver): bool", (a, b) => compare(a, b) > 0);
  method("isLessThan(kubernetes.Semver): bool", (a, b) => compare(a, b) < 0);
  method("compareTo(kubernetes.Semver): int", (a, b) => BigInt(Math.sign(compare(a, b))));
}
