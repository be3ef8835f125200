// Puts the paths of another server's OpenAPI v2 document into ours, with the definitions they lead to. A
// definition that differs from ours of the same name is taken under another.
import { jsonEqual } from "../../lib/json.ts";

interface SwaggerDocument {
  paths?: Record<string, any>;
  definitions?: Record<string, any>;
}

const prefix = "#/definitions/";

/** Calls `visit` with every reference below `value`; what it returns takes its place. */
function mapReferences(value: any, visit: (name: string) => string): any {
  if (Array.isArray(value)) return value.map((item) => mapReferences(item, visit));
  if (typeof value !== "object" || value === null) return value;
  const mapped: Record<string, any> = {};
  for (const [key, inner] of Object.entries(value)) {
    const reference = key === "$ref" && typeof inner === "string" && inner.startsWith(prefix);
    mapped[key] = reference
      ? prefix + visit((inner as string).slice(prefix.length))
      : mapReferences(inner, visit);
  }
  return mapped;
}

/** Every definition that `value` leads to. */
function reached(value: any, definitions: Record<string, any>, found = new Set<string>()) {
  mapReferences(value, (name) => {
    if (!found.has(name) && definitions[name]) {
      found.add(name);
      reached(definitions[name], definitions, found);
    }
    return name;
  });
  return found;
}

function freeName(name: string, taken: Record<string, any>): string {
  for (let i = 2; ; i++) if (!taken[`${name}_v${i}`]) return `${name}_v${i}`;
}

/** `base` with what `other` has below `root`, `/apis/metrics.k8s.io/v1beta1`. */
export function mergeSwagger<T extends SwaggerDocument>(
  base: T,
  other: SwaggerDocument,
  root: string,
): T {
  const paths = Object.fromEntries(
    Object.entries(other.paths ?? {}).filter(
      ([path]) => path === root || path.startsWith(`${root}/`),
    ),
  );
  const definitions = { ...base.definitions };
  const names = new Map<string, string>();
  const theirs = other.definitions ?? {};
  for (const name of reached(paths, theirs)) {
    const same = !definitions[name] || jsonEqual(definitions[name], theirs[name]);
    names.set(name, same ? name : freeName(name, definitions));
  }
  const rename = (name: string) => names.get(name) ?? name;
  for (const [name, as] of names) definitions[as] ??= mapReferences(theirs[name], rename);
  return { ...base, paths: { ...base.paths, ...mapReferences(paths, rename) }, definitions };
}
