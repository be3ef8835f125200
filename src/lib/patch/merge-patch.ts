// JSON merge patch, RFC 7396.
import { isObject } from "../json.ts";
import type { Json } from "../json.ts";

/** `document` with `patch` applied; neither is changed, and the result may share parts with both. */
export function mergePatch(document: any, patch: any): any {
  if (!isObject(patch)) return patch;
  const merged = new Map<string, Json>(isObject(document) ? Object.entries(document) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}
