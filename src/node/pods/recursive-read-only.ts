// Whether what is mounted below a read-only mount is read-only too (KEP-3857). Pure.
import { ConfigError } from "./config-error.ts";
import type { VolumeMount } from "./pod.ts";

/** `can`: the pod's runtime can do it. Throws ConfigError where it must and cannot. */
export function isRecursiveReadOnly(mount: VolumeMount, can: boolean): boolean {
  const { name, recursiveReadOnly = "Disabled" } = mount;
  if (recursiveReadOnly === "Disabled") return false;
  const asked = `volume ${JSON.stringify(name)} requested recursive read-only mode`;
  if (!mount.readOnly) throw new ConfigError(`${asked}, but it is not read-only`);
  if ((mount.mountPropagation ?? "None") !== "None") {
    throw new ConfigError(`${asked}, but its mount propagation is ${mount.mountPropagation}`);
  }
  if (recursiveReadOnly === "Enabled" && !can) {
    throw new ConfigError(`${asked}, but it is not supported by the runtime`);
  }
  return can;
}

/** Of one mount, `v1 VolumeMountStatus`. */
export function volumeMountStatus(mount: VolumeMount, can: boolean) {
  const { name, mountPath, readOnly } = mount;
  if (!readOnly) return { name, mountPath };
  let isRecursive = false;
  try {
    isRecursive = isRecursiveReadOnly(mount, can);
  } catch {
    // It is not mounted at all.
  }
  return { name, mountPath, readOnly, recursiveReadOnly: isRecursive ? "Enabled" : "Disabled" };
}
