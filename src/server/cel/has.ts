// `has(e.f)` of any operand e, and its fields checked as everywhere else. The evaluator's own check of this
// macro takes nothing but names and dots: neither `has(self[0].f)` nor `has(self.find(...).f)`.
import { ParseError } from "@marcbachmann/cel-js";

const refused = "invalid argument to has() macro";

interface Checker {
  check(node: Node, context: unknown): unknown;
  getType(name: string): unknown;
}

interface Node {
  op: string;
  args: any;
  meta: { macro?: Macro };
}

/** What the evaluator keeps of an expanded macro; `macroHasProps` is the way from field to operand. */
interface Macro {
  args: Node[];
  macroHasProps?: Node[];
  typeCheck: (checker: Checker, macro: Macro, context: unknown) => unknown;
}

const isSelection = ({ op }: Node) => op === "." || op === ".?";

const typeCheck: Macro["typeCheck"] = (checker, macro, context) => {
  let node = macro.args[0]!;
  if (node.op !== ".") throw new ParseError(refused);
  if (!macro.macroHasProps) {
    checker.check(node, context);
    const way = [node];
    while (isSelection(node)) way.push((node = node.args[0]));
    macro.macroHasProps = way;
  }
  return checker.getType("bool");
};

/** Takes the place of the evaluator's check, when `node` is a `has()`. */
export function checkHasOurWay(node: Node) {
  const { macro } = node.meta;
  if (node.op === "call" && node.args[0] === "has" && macro) macro.typeCheck = typeCheck;
}
