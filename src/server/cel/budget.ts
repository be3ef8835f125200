// What an expression may cost while it runs. Every node that is evaluated costs one, and what a call or an
// operator makes costs by its length, so nested loops over long lists and strings that double end by
// themselves, at the same place on every machine (the idea of KEP-2876, not its price list).

/** Steps one evaluation may take, as upstream's runtime limit for one rule. */
export const stepsMax = 1_000_000;

/** Characters or elements made for one step. */
const lengthPerStep = 10;

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

/** The evaluator replaces a node's `evaluate` when it first runs, so the property itself is what counts. */
function meter(node: Node) {
  const counts = makes.has(node.op);
  let inner = node.evaluate;
  const metered: Node["evaluate"] = (evaluator, self, context) => {
    spend(1);
    const result: any = inner.call(node, evaluator, self, context);
    if (counts && (typeof result === "string" || Array.isArray(result))) {
      spend(result.length / lengthPerStep);
    }
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
  const visit = (value: unknown) => {
    if (Array.isArray(value)) for (const one of value) visit(one);
    if (!isNode(value) || seen.has(value)) return;
    seen.add(value);
    meter(value);
    visit(value.args);
  };
  visit(root);
}
