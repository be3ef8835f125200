// Fields of a manifest that the hub leaves to the site once the object is there. Pure.
import { isObject } from "../../lib/json.ts";

/** The parts of a JSON pointer, or of a JSONPath of plain fields. Throws an Error for what names no one field. */
function partsOf(path: string): string[] {
  if (path.startsWith("/")) {
    const unescaped = (part: string) => part.replaceAll("~1", "/").replaceAll("~0", "~");
    return path.slice(1).split("/").map(unescaped);
  }
  const bare = path.replace(/^\{(.*)\}$/s, "$1").replace(/^\$/, "");
  if (!/^(\.[A-Za-z0-9_-]+)+$/.test(bare)) {
    throw new Error(`jsonPaths: ${JSON.stringify(path)} does not name one field; use jsonPointers`);
  }
  return bare.slice(1).split(".");
}

function without(value: any, [first = "", ...rest]: string[]): any {
  if (Array.isArray(value)) {
    const index = Number(first);
    if (rest.length === 0) return value.filter((_, i) => i !== index);
    return value.map((one, i) => (i === index ? without(one, rest) : one));
  }
  if (!isObject(value) || !(first in value)) return value;
  const { [first]: inner, ...others } = value;
  return rest.length === 0 ? others : { ...others, [first]: without(inner, rest) };
}

/** `object` without what `serverSideApply.ignoreFields` names. Throws an Error for rules that cannot be kept. */
export function withoutIgnored<T extends object>(object: T, rules: any[] = []): T {
  let left: any = object;
  for (const { jsonPointers = [], jsonPaths = [], jqPathExpressions = [] } of rules) {
    if (jqPathExpressions.length > 0) throw new Error("jqPathExpressions are not supported here");
    for (const path of [...jsonPointers, ...jsonPaths]) left = without(left, partsOf(path));
  }
  return left;
}
