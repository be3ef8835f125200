// Kubernetes' own patch: a merge patch that knows from the schema which lists are merged, and by which key.
// Keys with a dollar sign are directives: `$patch`, `$retainKeys`, `$setElementOrder/LIST` and
// `$deleteFromPrimitiveList/LIST`. A three-way `kubectl apply` and every strategic controller send these.
import { isObject } from "../../lib/json.ts";
import { badRequest } from "../../lib/status-error.ts";
import { resolve } from "../../kinds/schema.ts";
import type { Definitions, Schema } from "../../kinds/schema.ts";
import { followsOrder, orderElements } from "./element-order.ts";
import type { Identity } from "./element-order.ts";
import { unprocessable } from "../../lib/patch/patch-error.ts";

const patchDirective = "$patch";
const retainKeys = "$retainKeys";
const setElementOrder = "$setElementOrder/";
const deleteFromPrimitiveList = "$deleteFromPrimitiveList/";

type Fields = Map<string, any>;

/** What the schema says of a field: how it is merged, and the schema of what lies in it. */
interface FieldMeta {
  strategy: "merge" | "replace" | "default";
  mergeKey: string | undefined;
  schema: Schema;
}

const isDirective = (key: string) =>
  key === patchDirective ||
  key === retainKeys ||
  key.startsWith(setElementOrder) ||
  key.startsWith(deleteFromPrimitiveList);

const badDirective = (directive: unknown, patch: object) =>
  badRequest(`unknown patch type: ${JSON.stringify(directive)} in map: ${JSON.stringify(patch)}`);

/** A value that meets nothing in the document: as it is, without nulls in objects and without directives. */
function fresh(value: any): any {
  if (Array.isArray(value)) {
    return value.filter((element) => !isMarker(element)).map((element) => fresh(element));
  }
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([key, item]) => item !== null && !isDirective(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, fresh(item)]));
}

/** True for a list element that only says what to do with the list. */
const isMarker = (element: unknown) =>
  isObject(element) &&
  (element[patchDirective] === "delete" || element[patchDirective] === "replace");

/** One merge, over the definitions its schemas refer to. */
class StrategicMerge {
  readonly #definitions: Definitions;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  object(present: any, patch: any, schema: Schema): any {
    const { [patchDirective]: directive, ...rest } = patch;
    if (directive === "replace") return fresh(rest);
    if (directive === "delete") return {};
    if (directive !== undefined) throw badDirective(directive, patch);
    const fields: Fields = new Map(Object.entries(present));
    const changes: Fields = new Map(Object.entries(rest));
    retain(fields, changes);
    this.#orderLists(fields, changes, schema);
    for (const [key, value] of changes) {
      if (key.startsWith(deleteFromPrimitiveList)) deleteScalars(fields, key, value);
    }
    for (const [key, value] of changes) {
      if (!isDirective(key)) this.#field(fields, key, value, schema);
    }
    return Object.fromEntries(fields);
  }

  #field(fields: Fields, key: string, value: any, schema: Schema) {
    const present = fields.get(key);
    if (value === null) fields.delete(key);
    else if (isObject(value) && isObject(present)) {
      const meta = this.#meta(schema, key);
      const replaced = meta.strategy === "replace";
      fields.set(key, replaced ? fresh(value) : this.object(present, value, meta.schema));
    } else if (Array.isArray(value) && Array.isArray(present)) {
      const meta = this.#meta(schema, key);
      const merged = meta.strategy === "merge";
      fields.set(key, merged ? this.#list(present, value, key, meta) : fresh(value));
    } else {
      fields.set(key, fresh(value));
    }
  }

  /** `$setElementOrder/LIST` goes with the list's own patch, if there is one, and puts it in order. */
  #orderLists(fields: Fields, changes: Fields, schema: Schema) {
    for (const [directive, order] of changes) {
      if (!directive.startsWith(setElementOrder)) continue;
      if (!Array.isArray(order)) throw badRequest("invalid patch format of setElementOrder list");
      const key = directive.slice(setElementOrder.length);
      const meta = this.#meta(schema, key);
      const present = fields.get(key);
      const patch = changes.get(key);
      if (patch !== undefined && patch !== null) checkOrder(patch, order, meta);
      this.#deleteFirst(fields, changes, key);
      if (patch !== undefined) this.#field(fields, key, patch, schema);
      changes.delete(key);
      const merged = fields.get(key);
      if (!Array.isArray(merged)) continue;
      const known = Array.isArray(present) ? present : [];
      fields.set(key, orderElements(merged, order, known, identityOf(meta)));
    }
  }

  /** Deletions of scalars come before the order is set, which names what stays. */
  #deleteFirst(fields: Fields, changes: Fields, key: string) {
    const directive = `${deleteFromPrimitiveList}${key}`;
    if (changes.has(directive)) deleteScalars(fields, directive, changes.get(directive));
    changes.delete(directive);
  }

  #list(present: any[], patch: any[], name: string, meta: FieldMeta): any[] {
    if ([...present, ...patch].some(Array.isArray)) {
      throw unprocessable("lists of lists are not supported");
    }
    const ofObjects = isObject(present[0] ?? patch[0]);
    if ([...present, ...patch].some((element) => isObject(element) !== ofObjects)) {
      throw badRequest(`list element types are not identical in ${name}`);
    }
    if (!ofObjects)
      return orderElements([...new Set([...present, ...patch])], patch, present, self);
    const { mergeKey } = meta;
    if (mergeKey === undefined) {
      throw badRequest(`cannot merge lists without merge key for ${name}`);
    }
    const { base, changes } = specialElements(present, patch, mergeKey);
    const merged = this.#elements(base, changes, mergeKey, meta.schema);
    return orderElements(merged, changes, base, identityOf(meta));
  }

  #elements(base: any[], changes: any[], mergeKey: string, schema: Schema): any[] {
    const merged = [...base];
    const places = new Map<string, number>();
    for (const [i, element] of base.entries()) {
      const identity = String(element[mergeKey]);
      if (!places.has(identity)) places.set(identity, i);
    }
    for (const change of changes) {
      const identity = String(change[mergeKey]);
      const at = places.get(identity);
      if (at !== undefined) merged[at] = this.object(merged[at], change, schema);
      else places.set(identity, merged.push(fresh(change)) - 1);
    }
    return merged;
  }

  #meta(of: Schema, key: string): FieldMeta {
    const parent = resolve(of, this.#definitions);
    const inMap = isObject(parent.additionalProperties) ? parent.additionalProperties : {};
    const known = parent.properties && Object.hasOwn(parent.properties, key);
    const field: Schema = known ? parent.properties![key]! : inMap;
    const whole = resolve(field, this.#definitions);
    const strategies = field["x-kubernetes-patch-strategy"]?.split(",") ?? [];
    const strategy = strategies.find((one) => one === "merge" || one === "replace");
    return {
      strategy: (strategy as "merge" | "replace" | undefined) ?? "default",
      mergeKey: field["x-kubernetes-patch-merge-key"],
      schema: whole.items ?? whole,
    };
  }
}

const self: Identity = (element) => element;

const identityOf = ({ mergeKey }: FieldMeta): Identity =>
  mergeKey === undefined ? self : (element) => String(element?.[mergeKey]);

/** `$retainKeys`: what it does not name goes. */
function retain(fields: Fields, changes: Fields) {
  const keys = changes.get(retainKeys);
  if (keys === undefined) return;
  if (!Array.isArray(keys)) throw badRequest("invalid patch format of retainKeys");
  const kept = new Set(keys);
  for (const [key, value] of changes) {
    if (value === null || isDirective(key) || kept.has(key)) continue;
    throw unprocessable("patch content doesn't match retainKeys list");
  }
  for (const key of fields.keys()) if (!kept.has(key)) fields.delete(key);
}

function deleteScalars(fields: Fields, directive: string, values: unknown) {
  if (!Array.isArray(values)) throw badRequest("invalid patch format of primitive list");
  const key = directive.slice(deleteFromPrimitiveList.length);
  const present = fields.get(key);
  if (Array.isArray(present)) {
    fields.set(
      key,
      present.filter((value) => !values.includes(value)),
    );
  }
}

/** The list after its elements' own `$patch`, and the elements that are still to be merged. */
function specialElements(present: any[], patch: any[], mergeKey: string) {
  const deleted = new Set<string>();
  const changes: any[] = [];
  let replaced = false;
  for (const element of patch) {
    const { [patchDirective]: directive } = element;
    if (directive === "replace") replaced = true;
    else if (directive === "merge") {
      throw badRequest("merging lists cannot yet be specified in the patch");
    } else if (directive !== undefined && directive !== "delete") {
      throw badDirective(directive, element);
    } else {
      if (element[mergeKey] === undefined) {
        throw badRequest(
          `map: ${JSON.stringify(element)} does not contain declared merge key: ${mergeKey}`,
        );
      }
      if (directive === "delete") deleted.add(String(element[mergeKey]));
      else changes.push(element);
    }
  }
  const base = replaced ? [] : present.filter((element) => !deleted.has(String(element[mergeKey])));
  return { base, changes };
}

function checkOrder(patch: any, order: any[], meta: FieldMeta) {
  if (!Array.isArray(patch)) throw badRequest("invalid patch format of setElementOrder list");
  const staying = patch.filter((element) => !isMarker(element));
  if (followsOrder(staying, order, identityOf(meta))) return;
  throw badRequest(
    `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match $setElementOrder list:\n` +
      `${JSON.stringify(order)}\n`,
  );
}

/** A new document: `document` with `patch` applied as `schema` says. Throws StatusError. */
export function strategicMergePatch(
  document: any,
  patch: any,
  schema: Schema,
  definitions: Definitions,
): any {
  if (!isObject(patch)) throw badRequest("invalid JSON document");
  return new StrategicMerge(definitions).object(isObject(document) ? document : {}, patch, schema);
}
