// Fields of a manifest that the hub leaves to the site once the object is there. They are applied with the value
// that they have at the site, so that the agent keeps owning them and everything else is still put right. Pure.
import { createHash } from "node:crypto";
import { isObject } from "../../lib/json.ts";

/** Says which content of the hub was last applied, so that its own changes are told from the site's. */
export const contentAnnotation = "fleet.kerb.dev/content-hash";

export interface IgnoreRule {
  condition?: "OnSpokePresent" | "OnSpokeChange";
  jsonPaths?: string[];
  jsonPointers?: string[];
  jqPathExpressions?: string[];
}

/** A rule that cannot be kept. */
export class IgnoreRuleError extends Error {}

/** The parts of a JSON pointer, or of a JSONPath of plain fields. */
function partsOf(path: string): string[] {
  if (path.startsWith("/")) {
    const unescaped = (part: string) => part.replaceAll("~1", "/").replaceAll("~0", "~");
    return path.slice(1).split("/").map(unescaped);
  }
  const bare = path.replace(/^\{(.*)\}$/s, "$1").replace(/^\$/, "");
  if (!/^(\.[A-Za-z0-9_-]+)+$/.test(bare)) {
    throw new IgnoreRuleError(
      `jsonPaths: ${JSON.stringify(path)} does not name one field; use jsonPointers`,
    );
  }
  return bare.slice(1).split(".");
}

function pathsOf({ jsonPointers = [], jsonPaths = [], jqPathExpressions = [] }: IgnoreRule) {
  if (jqPathExpressions.length > 0) {
    throw new IgnoreRuleError("jqPathExpressions are not supported; use jsonPointers or jsonPaths");
  }
  return [...jsonPointers, ...jsonPaths].map(partsOf);
}

function at(value: any, parts: string[]): unknown {
  return parts.reduce((inner, part) => {
    if (Array.isArray(inner)) return inner[Number(part)];
    return isObject(inner) && Object.hasOwn(inner, part) ? (inner as any)[part] : undefined;
  }, value);
}

/** `value` with `replaced` in the place of what lies at `parts`; without it when that is undefined. */
function put(value: any, [first = "", ...rest]: string[], replaced: unknown): any {
  if (Array.isArray(value)) {
    const index = Number(first);
    if (rest.length > 0)
      return value.map((one, i) => (i === index ? put(one, rest, replaced) : one));
    return value.flatMap((one, i) =>
      i !== index ? [one] : replaced === undefined ? [] : [replaced],
    );
  }
  const { [first]: inner, ...others } = value;
  if (rest.length > 0) return { ...value, [first]: put(inner, rest, replaced) };
  return replaced === undefined ? others : { ...value, [first]: replaced };
}

export const contentHash = (object: object) =>
  createHash("sha256").update(JSON.stringify(object)).digest("hex").slice(0, 16);

/**
 * `object` as it is to be applied over `live`. `changed`: the hub's content is another than the one applied last.
 * Throws an IgnoreRuleError.
 */
export function withSiteFields<T extends object>(
  object: T,
  live: object | undefined,
  { rules = [], changed }: { rules?: IgnoreRule[] | undefined; changed: boolean },
): T {
  let made: any = object;
  for (const rule of rules) {
    const paths = pathsOf(rule);
    if (!live || (rule.condition === "OnSpokeChange" && changed)) continue;
    for (const parts of paths) {
      if (at(made, parts) !== undefined) made = put(made, parts, at(live, parts));
    }
  }
  return made;
}
