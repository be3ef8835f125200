// What an expression may cost while it runs. Every node that is evaluated costs one; what a call or an
// operator makes costs by its length, and so does what it reads, so nested loops over long lists, strings
// that double and patterns sought in long texts end by themselves, at the same place on every machine (the
// idea of KEP-2876, not its price list).

/** Steps one evaluation may take, as upstream's runtime limit for one rule. */
export const stepsMax = 1_000_000;

/** Characters or elements made or read for one step. */
const lengthPerStep = 10;
/** Characters in which a pattern is sought for one step. */
const soughtPerStep = 2;

export class BudgetSpent extends Error {}

let left = Number.POSITIVE_INFINITY;

function spend(steps: number) {
  left -= steps;
  if (left < 0) throw new BudgetSpent("call cost exceeds limit");
}

/** Runs `work`, which does not wait, within `steps`. */
export function within<T>(steps: number, work: () => T): T {
  const before = left;
  left = steps;
  try {
    const result = work();
    // Operators like || turn an error of one side into the other side's value; not this one.
    spend(0);
    return result;
  } finally {
    left = before;
  }
}

interface Node {
  op: string;
  args: unknown;
  evaluate: (evaluator: unknown, node: unknown, context: unknown) => unknown;
}

const isNode = (value: any): value is Node =>
  typeof value === "object" && value !== null && typeof value.op === "string" && "args" in value;

const makes = new Set(["+", "call", "rcall"]);
const compares = new Set(["==", "!=", "<", "<=", ">", ">=", "in"]);
const seeks = new Set(["matches", "find", "findAll"]);
/** These look at nothing of what they are given but its length, or pay for each element they look at. */
const free = new Set(["size", "all", "exists", "exists_one", "existsOne", "map", "filter"]);

/** How much of an operand `node` reads for one step. */
function readPerStep({ op, args }: Node): number {
  if (compares.has(op) || op === "+") return lengthPerStep;
  const called = op === "call" || op === "rcall" ? (args as unknown[])[0] : undefined;
  if (typeof called !== "string" || free.has(called)) return Number.POSITIVE_INFINITY;
  return seeks.has(called) ? soughtPerStep : lengthPerStep;
}

const isLong = (value: any): value is { length: number } =>
  typeof value === "string" || Array.isArray(value) || value instanceof Uint8Array;

/** The evaluator replaces a node's `evaluate` when it first runs, so the property itself is what counts. */
function meter(node: Node, readFor: number) {
  const made = makes.has(node.op) ? lengthPerStep : Number.POSITIVE_INFINITY;
  let inner = node.evaluate;
  const metered: Node["evaluate"] = (evaluator, self, context) => {
    spend(1);
    const result = inner.call(node, evaluator, self, context);
    if (isLong(result)) spend(result.length / made + result.length / readFor);
    return result;
  };
  Object.defineProperty(node, "evaluate", {
    get: () => metered,
    set: (next: Node["evaluate"]) => {
      inner = next;
    },
  });
}

/** Makes every node of a checked expression pay when it runs. */
export function meterAll(root: unknown) {
  const seen = new Set<Node>();
  const visit = (value: unknown, readFor: number) => {
    if (Array.isArray(value)) for (const one of value) visit(one, readFor);
    if (!isNode(value) || seen.has(value)) return;
    seen.add(value);
    meter(value, readFor);
    visit(value.args, readPerStep(value));
  };
  visit(root, Number.POSITIVE_INFINITY);
}
