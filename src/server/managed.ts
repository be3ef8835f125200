// Who owns which field, kept on every write.
import type { KubeObject } from "../kinds/object.ts";
import type { Call } from "./core.ts";

/** Updates `metadata.managedFields` of `object`, in place, for an ordinary write over `old`. */
export function trackFields(_call: Call, object: KubeObject, old: KubeObject | undefined) {
  if (old?.metadata.managedFields) object.metadata.managedFields = old.metadata.managedFields;
}
