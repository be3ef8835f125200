// The subset of Kubernetes' JSONPath that printer columns use: fields, quoted fields, indices, wildcards,
// and filters that compare a field with a literal: `.status.conditions[?(@.type=="Ready")].status`.

type Step = (value: unknown) => unknown[];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

const field =
  (name: string): Step =>
  (value) =>
    isObject(value) && Object.hasOwn(value, name) ? [value[name]] : [];

const every: Step = (value) => (isObject(value) ? Object.values(value) : []);

const index =
  (at: number): Step =>
  (value) => {
    if (!Array.isArray(value)) return [];
    const found = value.at(at);
    return found === undefined ? [] : [found];
  };

function literal(text: string): unknown {
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  if (quoted) return quoted[2];
  if (text === "true" || text === "false") return text === "true";
  return Number(text);
}

/** `?(@PATH)`, `?(@PATH==LITERAL)` or `?(@PATH!=LITERAL)`; cut by hand, since a pattern would look at blanks again and again. */
function filter(text: string, depth: number): Step | undefined {
  if (!text.startsWith("?(") || !text.endsWith(")")) return undefined;
  const inner = text.slice(2, -1).trim();
  if (!inner.startsWith("@")) return undefined;
  const at = inner.search(/[=!]=/);
  const compares = at >= 0;
  const path = (compares ? inner.slice(1, at) : inner.slice(1)).trim();
  const compared = compares ? inner.slice(at + 2).trim() : "";
  const steps = path === "" ? undefined : parse(path, depth + 1);
  if (!steps || (compares && compared === "")) return undefined;
  const isEqual = inner[at] === "=";
  const wanted = literal(compared);
  return (value) =>
    (Array.isArray(value) ? value : []).filter((item) => {
      const found = walk(steps, item)[0];
      return compares ? (found === wanted) === isEqual : found !== undefined;
    });
}

/** The end of a bracket that opens at `from`, quotes and nested brackets considered. */
function closing(text: string, from: number): number {
  let depth = 0;
  let quote = "";
  for (let i = from; i < text.length; i++) {
    const c = text[i]!;
    if (quote) {
      if (c === quote) quote = "";
    } else if (c === "'" || c === '"') quote = c;
    else if (c === "[") depth++;
    else if (c === "]" && --depth === 0) return i;
  }
  return -1;
}

function bracket(text: string, depth: number): Step | undefined {
  if (text === "*") return every;
  if (/^-?\d+$/.test(text)) return index(Number(text));
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  if (quoted) return field(quoted[2]!);
  return filter(text, depth);
}

/** Filters in filters are read by calls in calls. */
const depthMax = 16;

function parse(path: string, depth = 0): Step[] | undefined {
  if (depth > depthMax) return undefined;
  const steps: Step[] = [];
  let rest = path;
  while (rest !== "") {
    if (rest.startsWith("[")) {
      const end = closing(rest, 0);
      const step = end < 0 ? undefined : bracket(rest.slice(1, end).trim(), depth);
      if (!step) return undefined;
      steps.push(step);
      rest = rest.slice(end + 1);
      continue;
    }
    const match = /^\.((?:[^.[\]\\]|\\.)*)/.exec(rest);
    if (!match) return undefined;
    const name = match[1]!.replaceAll(/\\(.)/g, "$1");
    if (name === "*") steps.push(every);
    else if (name !== "") steps.push(field(name));
    rest = rest.slice(match[0].length);
  }
  return steps;
}

const walk = (steps: Step[], value: unknown) =>
  steps.reduce<unknown[]>((values, step) => values.flatMap(step), [value]);

/** A path is parsed once; kinds have a few dozen. */
const compiledMax = 2000;
const compiled = new Map<string, Step[] | undefined>();

function stepsOf(path: string): Step[] | undefined {
  if (!compiled.has(path)) {
    if (compiled.size >= compiledMax) compiled.clear();
    const bare = path.replace(/^\{(.*)\}$/s, "$1").replace(/^\$/, "");
    compiled.set(path, parse(bare.startsWith(".") || bare.startsWith("[") ? bare : `.${bare}`));
  }
  return compiled.get(path);
}

export const isJsonPath = (path: string) => stepsOf(path) !== undefined;

/** Every value `path` finds; none for a path that cannot be parsed. */
export function jsonPath(path: string, value: unknown): unknown[] {
  const steps = stepsOf(path);
  return steps ? walk(steps, value) : [];
}
