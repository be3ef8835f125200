// What does not compile, in the form of the compiler that upstream uses: the place under its line.
import type { Compiled } from "./compile.ts";

/** Pure. */
export function shownError(
  expression: string,
  { error, offset = 0 }: Extract<Compiled, { error: string }>,
): string {
  const before = expression.slice(0, offset).split("\n");
  const column = before.at(-1)!.length;
  const line = expression.split("\n")[before.length - 1] ?? "";
  return `ERROR: <input>:${before.length}:${column + 1}: ${error}\n | ${line}\n | ${".".repeat(column)}^`;
}
