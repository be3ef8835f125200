// Patterns of users, in time linear in the text (RE2): `find`, `findAll`, and `matches`, which stands in for the
// evaluator's own.
import type { Environment } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";

/** The name under which `matches` of an expression runs. */
export const linearMatches = "matchesLinear";

const patternCharsMax = 4096;
const compiledMax = 500;
const compiled = new Map<string, RE2JS>();

function compile(pattern: string): RE2JS {
  let known = compiled.get(pattern);
  if (known) return known;
  if (pattern.length > patternCharsMax) throw new Error("the pattern is too long");
  known = RE2JS.compile(pattern);
  if (compiled.size >= compiledMax) compiled.clear();
  compiled.set(pattern, known);
  return known;
}

function findAll(text: string, pattern: string, limit: number): string[] {
  const matcher = compile(pattern).matcher(text);
  const found: string[] = [];
  while (found.length < limit && matcher.find()) found.push(matcher.group() ?? "");
  return found;
}

const matches = (text: string, pattern: string) => compile(pattern).matcher(text).find();

export function addRegex(environment: Environment) {
  environment
    .registerFunction(`string.${linearMatches}(string): bool`, matches)
    .registerFunction(`${linearMatches}(string, string): bool`, matches)
    .registerFunction("string.find(string): string", (text: string, pattern: string) =>
      findAll(text, pattern, 1).join(""),
    )
    .registerFunction("string.findAll(string): list<string>", (text: string, pattern: string) =>
      findAll(text, pattern, Number.POSITIVE_INFINITY),
    )
    .registerFunction(
      "string.findAll(string, int): list<string>",
      (text: string, pattern: string, limit: bigint) =>
        findAll(text, pattern, limit < 0n ? Number.POSITIVE_INFINITY : Number(limit)),
    );
}
