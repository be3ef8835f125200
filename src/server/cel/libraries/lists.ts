// Lists: what Kubernetes adds to CEL's own (isSorted, sum, min, max, indexOf, lastIndexOf), and sets over lists.
import { Optional, type Environment } from "@marcbachmann/cel-js";
import { compareValues, equalValues } from "./values.ts";

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

/** With its nested lists opened, `depth` deep. */
function flatten(list: unknown[], depth = 1n): unknown[] {
  if (depth < 0n) throw new Error("level must be non-negative");
  return list.flat(Number(depth));
}

function slice(list: unknown[], from: bigint, to: bigint): unknown[] {
  const fine = from >= 0n && from <= to && to <= BigInt(list.length);
  if (!fine) throw new Error(`cannot slice(${from}, ${to}), list is length ${list.length}`);
  return list.slice(Number(from), Number(to));
}

const distinct = (list: unknown[]) =>
  list.filter((one, i) => list.findIndex((other) => equalValues(one, other)) === i);

/** Longest list that is made of a number. */
const rangeMax = 10_000;

function range(_: Lists, count: bigint): bigint[] {
  if (count < 0n) throw new Error("a range is not shorter than nothing");
  if (count > BigInt(rangeMax)) throw new Error(`a range is at most ${rangeMax} long`);
  return Array.from({ length: Number(count) }, (_none, i) => BigInt(i));
}

class Sets {}
class Lists {}

/** CEL's extended lists, as upstream has them since 1.34; `sortBy` is a macro. */
function addExtended(environment: Environment) {
  environment
    .registerType("kubernetes.Lists", { ctor: Lists } as never)
    .registerConstant("lists", "kubernetes.Lists", new Lists())
    .registerFunction("kubernetes.Lists.range(int): list<int>", range)
    .registerFunction("list<T>.slice(int, int): list<T>", slice)
    .registerFunction("list.flatten(): list<dyn>", flatten)
    .registerFunction("list.flatten(int): list<dyn>", flatten)
    .registerFunction("list<T>.distinct(): list<T>", distinct)
    .registerFunction("list<T>.reverse(): list<T>", (list: unknown[]) => list.toReversed())
    .registerFunction("list<T>.sort(): list<T>", (list: unknown[]) => {
      for (const one of list) compareValues(list[0], one);
      return list.toSorted(compareValues);
    })
    .registerFunction("list<T>.first(): optional<T>", (list: unknown[]) => Optional.of(list[0]))
    .registerFunction("list<T>.last(): optional<T>", (list: unknown[]) => Optional.of(list.at(-1)));
}

export function addLists(environment: Environment) {
  addExtended(environment);
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
