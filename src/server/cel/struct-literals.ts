// `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: "add"}` of mutating policies, as the maps they
// stand for: the evaluator reads maps only. Text in, text of the same meaning out; strings are left alone.

const stringOrComment =
  /^(?:[rRbB]{0,2}(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\/\/[^\n]*)/;
const literal = /^(?:Object(?:\.[A-Za-z_]\w*)*|JSONPatch)\s*\{/;
const field = /^([A-Za-z_]\w*)(\s*:)/;
const word = /^[A-Za-z_]\w*/;

const closing: Record<string, string> = { "{": "}", "[": "]", "(": ")" };

/** Pure. What is no literal, or not closed, is left for the parser to judge. */
export function asMaps(expression: string): string {
  let out = "";
  /** What is open: "struct" or the bracket. */
  const open: string[] = [];
  let rest = expression;
  let atField = false;
  const take = (text: string, written = text) => {
    out += written;
    rest = rest.slice(text.length);
  };
  while (rest !== "") {
    const skipped = /^\s+/.exec(rest) ?? stringOrComment.exec(rest);
    const struct = literal.exec(rest);
    const named = atField ? field.exec(rest) : null;
    const [first = ""] = rest;
    if (skipped) {
      if (skipped[0].trim() !== "" && !skipped[0].startsWith("//")) atField = false;
      take(skipped[0]);
    } else if (named) {
      take(named[0], `${JSON.stringify(named[1])}${named[2]}`);
      atField = false;
    } else if (struct) {
      take(struct[0], "{");
      open.push("struct");
      atField = true;
    } else if (closing[first]) {
      open.push(first);
      take(first);
      atField = false;
    } else {
      if (first === "}" || first === "]" || first === ")") open.pop();
      const [text] = word.exec(rest) ?? [first];
      take(text);
      atField = text === "," && open.at(-1) === "struct";
    }
  }
  return out;
}
