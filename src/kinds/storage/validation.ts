// What the schema cannot say of volumes and their classes.
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { hostPathErrors } from "../core/volume-validation.ts";

export const accessModes = [
  "ReadOnlyMany",
  "ReadWriteMany",
  "ReadWriteOnce",
  "ReadWriteOncePod",
] as const;
export const volumeModes = ["Block", "Filesystem"] as const;

export function storageClassErrors({ object }: Change): FieldError[] {
  return [
    ...(object["provisioner"] ? [] : [required("provisioner")]),
    ...supported("reclaimPolicy", object["reclaimPolicy"] || undefined, ["Delete", "Retain"]),
    ...supported("volumeBindingMode", object["volumeBindingMode"], [
      "Immediate",
      "WaitForFirstConsumer",
    ]),
  ];
}

/** What a volume's spec says besides where it is. */
const others = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

export function persistentVolumeErrors({ object: { spec }, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const errors = spec?.accessModes?.length ? [] : [required("spec.accessModes")];
  for (const mode of spec?.accessModes ?? []) {
    errors.push(...supported("spec.accessModes", mode, accessModes));
  }
  if (!spec?.capacity?.storage) errors.push(required("spec.capacity"));
  const sources = Object.keys(spec ?? {}).filter((field) => !others.has(field));
  if (sources.length === 0) errors.push(required("spec", "must specify a volume type"));
  for (const field of sources.slice(1)) {
    errors.push(forbiddenValue(`spec.${field}`, "may not specify more than 1 volume type"));
  }
  const policy = spec?.persistentVolumeReclaimPolicy;
  return [
    ...errors,
    ...hostPathErrors(spec?.hostPath, "spec.hostPath"),
    ...supported("spec.persistentVolumeReclaimPolicy", policy, ["Delete", "Recycle", "Retain"]),
    ...supported("spec.volumeMode", spec?.volumeMode, volumeModes),
  ];
}
