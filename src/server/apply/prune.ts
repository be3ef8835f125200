// Removes what a manager applied before, applies no longer, and nobody else owns.
import { isObject } from "../../lib/json.ts";
import type { FieldSet } from "./field-set.ts";
import { anyType, type FieldType } from "./field-type.ts";
import { elementOf, type JsonMap } from "./items.ts";

/**
 * `last` is what the manager owned, `kept` what anybody owns now. Whatever `last` names and `kept`
 * says nothing of goes, with all below it. Returns `value` itself when nothing goes.
 */
export function pruneMap(type: FieldType, value: JsonMap, last: FieldSet, kept: FieldSet): JsonMap {
  let out = value;
  for (const name of Object.keys(value)) {
    const field = type.fields?.get(name);
    if (field?.ignored) continue;
    const element = field?.element ?? `f:${name}`;
    const before = last[element];
    if (!before) continue;
    const childType = field ? field.type() : (type.rest?.() ?? anyType);
    const child = pruneValue(childType, value[name], before, kept[element]);
    if (child === value[name]) continue;
    if (out === value) out = { ...value };
    if (child === undefined) delete out[name];
    else out[name] = child;
  }
  return out;
}

function pruneValue(
  type: FieldType,
  value: unknown,
  last: FieldSet,
  kept: FieldSet | undefined,
): unknown {
  if (isObject(value) && (type.shape === "map" || type.shape === "any")) {
    // A leaf goes as a whole; a map goes only as far as it was owned, for the server's own fields lie
    // beside the manager's (a name in the metadata).
    if (!kept && Object.keys(last).length === 0) return undefined;
    const out = pruneMap(type, value, last, kept ?? {});
    return out !== value && Object.keys(out).length === 0 ? undefined : out;
  }
  if (!kept) return undefined;
  if (Array.isArray(value) && (type.shape === "list" || type.shape === "set")) {
    const out = pruneList(type, value, last, kept);
    return out !== value && out.length === 0 ? undefined : out;
  }
  return value;
}

function pruneList(type: FieldType, list: unknown[], last: FieldSet, kept: FieldSet) {
  let changed = false;
  const out = list.flatMap((item, index) => {
    const element = elementOf(type, item, index);
    const before = last[element];
    if (!before) return [item];
    // An item that nobody names any more goes with all that was defaulted in it.
    const left = kept[element];
    const child = left && pruneValue(type.item?.() ?? anyType, item, before, left);
    if (child === item) return [item];
    changed = true;
    return child === undefined ? [] : [child];
  });
  return changed ? out : list;
}
