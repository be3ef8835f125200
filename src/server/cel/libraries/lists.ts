// Lists: what Kubernetes adds to CEL's own (isSorted, sum, min, max, indexOf, lastIndexOf), and sets over lists.
import type { Environment } from "@marcbachmann/cel-js";
import { equalValues } from "./values.ts";

type Ordered = number | bigint | string;

const ordered = (list: Ordered[], better: (a: Ordered, b: Ordered) => boolean, name: string) => {
  if (list.length === 0) throw new Error(`${name} called on empty list`);
  return list.reduce((best, one) => (better(one, best) ? one : best));
};

function sum(list: (number | bigint)[]) {
  if (list.length === 0) return 0n;
  return list.reduce((total: any, one: any) => total + one);
}

const contains = (list: unknown[], one: unknown) => list.some((other) => equalValues(one, other));

class Sets {}

export function addLists(environment: Environment) {
  environment
    .registerFunction("list.isSorted(): bool", (list: Ordered[]) =>
      list.every((one, i) => i === 0 || list[i - 1]! <= one),
    )
    .registerFunction("list.sum(): dyn", sum)
    .registerFunction("list.min(): dyn", (list: Ordered[]) => ordered(list, (a, b) => a < b, "min"))
    .registerFunction("list.max(): dyn", (list: Ordered[]) => ordered(list, (a, b) => a > b, "max"))
    .registerFunction("list.indexOf(dyn): int", (list: unknown[], one: unknown) =>
      BigInt(list.findIndex((other) => equalValues(one, other))),
    )
    .registerFunction("list.lastIndexOf(dyn): int", (list: unknown[], one: unknown) =>
      BigInt(list.findLastIndex((other) => equalValues(one, other))),
    )
    .registerType("kubernetes.Sets", { ctor: Sets } as never)
    .registerConstant("sets", "kubernetes.Sets", new Sets())
    .registerFunction(
      "kubernetes.Sets.contains(list, list): bool",
      (_: Sets, a: unknown[], b: unknown[]) => b.every((one) => contains(a, one)),
    )
    .registerFunction(
      "kubernetes.Sets.equivalent(list, list): bool",
      (_: Sets, a: unknown[], b: unknown[]) =>
        a.every((one) => contains(b, one)) && b.every((one) => contains(a, one)),
    )
    .registerFunction(
      "kubernetes.Sets.intersects(list, list): bool",
      (_: Sets, a: unknown[], b: unknown[]) => a.some((one) => contains(b, one)),
    );
}
