// The way from client-side to server-side apply, as upstream smooths it for kubectl alone: values
// that still stand as kubectl last applied them are no conflict, and the annotation is kept current
// while it is there.
import { isObject } from "../../lib/json.ts";
import type { Draft } from "../../kinds/object.ts";
import { appliedFields } from "./applied-fields.ts";
import { compareObjects } from "./compare.ts";
import { difference, emptySet, withoutTrees, type FieldSet } from "./field-set.ts";
import type { FieldType } from "./field-type.ts";

const annotation = "kubectl.kubernetes.io/last-applied-configuration";

/** The largest annotations of one object may be, in bytes; above it the annotation is dropped. */
const annotationBytesMax = 256 * 1024;

/** The paths whose live values are those of the last-applied annotation. */
export function allowedByLastApplied(type: FieldType, live: Draft): FieldSet {
  const text = live.metadata?.annotations?.[annotation];
  if (!text) return emptySet;
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    return emptySet;
  }
  if (!isObject(config)) return emptySet;
  const errors: string[] = [];
  const set = appliedFields(type, config, errors);
  if (errors.length > 0) return emptySet;
  const { changed = emptySet, removed = emptySet } = compareObjects(type, live, config);
  return withoutTrees(difference(set, changed), removed);
}

/** `object` with its annotation, if any, telling `config`. */
export function refreshLastApplied<T extends Draft>(object: T, config: Draft): T {
  const annotations = object.metadata?.annotations;
  if (!annotations?.[annotation]) return object;
  const text = `${JSON.stringify(withoutAnnotation(config))}\n`;
  const next: Record<string, string> = { ...annotations, [annotation]: text };
  if (Buffer.byteLength(text) > annotationBytesMax) delete next[annotation];
  return { ...object, metadata: { ...object.metadata, annotations: next } };
}

function withoutAnnotation(config: Draft): Draft {
  if (!config.metadata?.annotations?.[annotation]) return config;
  const { [annotation]: _, ...annotations } = config.metadata.annotations;
  return { ...config, metadata: { ...config.metadata, annotations } };
}
