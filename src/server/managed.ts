// Who owns which field, kept on every write that is not an apply (which keeps it itself).
import { timestamp } from "../lib/clock.ts";
import type { KubeObject } from "../kinds/object.ts";
import { updateManagedFields } from "./apply/managed-fields.ts";
import type { Call } from "./core.ts";

/** Updates `metadata.managedFields` of `object`, in place, for an ordinary write over `old`. */
export function trackFields(call: Call, object: KubeObject, old: KubeObject | undefined) {
  const { kind, core, info, options } = call;
  const entries = updateManagedFields({
    kind,
    definitions: core.kinds.definition,
    object,
    ...(old && { old }),
    manager: options.fieldManager,
    subresource: info.subresource,
    time: timestamp(core.clock.now()),
  });
  if (entries) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}
