// The fields that never change once an object is made, of kinds that are not judged otherwise. Upstream
// words the refusal in three ways.
import { jsonEqual } from "../lib/json.ts";
import type { FieldError } from "../lib/status-error.ts";
import { forbiddenValue, invalidValue } from "./field-checks.ts";
import type { Change } from "./kind.ts";

type Refuse = (field: string, value: unknown) => FieldError;

const immutable: Refuse = (field, value) => invalidValue(field, value, "field is immutable");
const notInUpdates: Refuse = (field) => forbiddenValue(field, "may not be changed in an update.");
const noUpdates: Refuse = (field) => forbiddenValue(field, `updates to ${field} are forbidden.`);

const fields: Record<string, Record<string, Refuse>> = {
  "controllerrevisions.apps": { data: immutable },
  "csistoragecapacities.storage.k8s.io": { nodeTopology: immutable, storageClassName: immutable },
  "csidrivers.storage.k8s.io": {
    "spec.attachRequired": immutable,
    "spec.volumeLifecycleModes": immutable,
  },
  "ipaddresses.networking.k8s.io": { "spec.parentRef": immutable },
  "ingressclasses.networking.k8s.io": { "spec.controller": immutable },
  "priorityclasses.scheduling.k8s.io": { value: notInUpdates, preemptionPolicy: immutable },
  "resourceclaims.resource.k8s.io": { spec: immutable },
  "resourceclaimtemplates.resource.k8s.io": { spec: immutable },
  "runtimeclasses.node.k8s.io": { handler: immutable },
  "servicecidrs.networking.k8s.io": { "spec.cidrs": immutable },
  "storageclasses.storage.k8s.io": {
    parameters: immutable,
    provisioner: immutable,
    reclaimPolicy: immutable,
    volumeBindingMode: immutable,
  },
  "volumeattachments.storage.k8s.io": { spec: immutable },
  "volumeattributesclasses.storage.k8s.io": { driverName: noUpdates, parameters: noUpdates },
};

const valueAt = (object: any, path: string) =>
  path.split(".").reduce((value, name) => value?.[name], object);

/** Pure. */
export function immutableErrors(resource: string, { object, old }: Change): FieldError[] {
  if (!old) return [];
  return Object.entries(fields[resource] ?? {}).flatMap(([field, refuse]) => {
    const value = valueAt(object, field);
    return jsonEqual(value, valueAt(old, field)) ? [] : [refuse(field, value)];
  });
}
