// Where a container sees its pod's volumes: as files, and as disks.
import type { FieldError } from "../../lib/status-error.ts";
import {
  forbiddenValue,
  invalidValue,
  notFoundValue,
  required,
  supported,
} from "../field-checks.ts";
import { descendingPath, withoutBacksteps } from "../path-rules.ts";
import { none, oneOf } from "../rules.ts";
import type { Errors } from "../rules.ts";

type Any = Record<string, any>;

/** A pod's volumes by name. */
export type Volumes = ReadonlyMap<string, Any>;

const recursiveModes = ["Disabled", "Enabled", "IfPossible"];

function recursiveErrors(mount: Any, at: string): Errors {
  const mode = mount["recursiveReadOnly"];
  if (mode === undefined || mode === "Disabled") return none;
  if (!recursiveModes.includes(mode)) return supported(at, mode, recursiveModes);
  const errors: FieldError[] = [];
  if (!mount["readOnly"]) {
    errors.push(forbiddenValue(at, "may only be specified when readOnly is true"));
  }
  if ((mount["mountPropagation"] ?? "None") !== "None") {
    const why = "may only be specified when mountPropagation is None or not specified";
    errors.push(forbiddenValue(at, why));
  }
  return errors;
}

const propagation = oneOf("Bidirectional", "HostToContainer", "None");
const privilegedWhy = "Bidirectional mount propagation is available only to privileged containers";

/** Told at the list, as upstream does. */
function propagationErrors(mode: string | undefined, container: Any, at: string): Errors {
  if (mode === undefined) return none;
  if (mode !== "Bidirectional" || container["securityContext"]?.privileged) {
    return propagation(mode, at);
  }
  return [forbiddenValue(at, privilegedWhy)];
}

function subPathErrors(mount: Any, i: number, at: string): Errors {
  const { subPath, subPathExpr } = mount;
  const both = "subPathExpr and subPath are mutually exclusive";
  return [
    ...(subPath ? descendingPath(subPath, `${at}.subPath`) : none),
    ...(subPath && subPathExpr
      ? [invalidValue(`${at}[${i}].subPathExpr`, subPathExpr, both)]
      : none),
    ...(subPathExpr ? descendingPath(subPathExpr, `${at}.subPathExpr`) : none),
  ];
}

export function mountErrors(container: Any, at: string, volumes: Volumes): Errors {
  const mounts: Any[] = container["volumeMounts"] ?? [];
  const devices: Any[] = container["volumeDevices"] ?? [];
  const seen = new Set<string>();
  return mounts.flatMap((mount, i) => {
    const { name = "", mountPath = "" } = mount;
    const field = `${at}[${i}]`;
    const errors: FieldError[] = name ? [] : [required(`${field}.name`)];
    if (!volumes.has(name)) errors.push(notFoundValue(`${field}.name`, name));
    if (!mountPath) errors.push(required(`${field}.mountPath`));
    const wrong = (which: string, value: string, why: string) =>
      errors.push(invalidValue(`${field}.${which}`, value, why));
    if (seen.has(mountPath)) wrong("mountPath", mountPath, "must be unique");
    seen.add(mountPath);
    if (devices.some((one) => one["name"] === name)) {
      wrong("name", name, "must not already exist in volumeDevices");
    }
    if (devices.some((one) => one["devicePath"] === mountPath)) {
      wrong("mountPath", mountPath, "must not already exist as a path in volumeDevices");
    }
    errors.push(
      ...subPathErrors(mount, i, at),
      ...propagationErrors(mount["mountPropagation"], container, `${at}.mountPropagation`),
      ...recursiveErrors(mount, `${at}.recursiveReadOnly`),
    );
    return errors;
  });
}

const blockWhy =
  "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";

export function deviceErrors(container: Any, at: string, volumes: Volumes): Errors {
  const mounts: Any[] = container["volumeMounts"] ?? [];
  const devices: Any[] = container["volumeDevices"] ?? [];
  const paths = new Set<string>();
  const names = new Set<string>();
  return devices.flatMap(({ name = "", devicePath = "" }, i) => {
    const field = `${at}[${i}]`;
    const errors: FieldError[] = name ? [] : [required(`${field}.name`)];
    const wrong = (which: string, value: string, why: string) =>
      errors.push(invalidValue(`${field}.${which}`, value, why));
    if (names.has(name)) wrong("name", name, "must be unique");
    const volume = volumes.get(name);
    if (!volume) errors.push(notFoundValue(`${field}.name`, name));
    else if (!volume["persistentVolumeClaim"] && !volume["ephemeral"])
      wrong("name", name, blockWhy);
    if (!devicePath) errors.push(required(`${field}.devicePath`));
    if (paths.has(devicePath)) wrong("devicePath", devicePath, "must be unique");
    if (withoutBacksteps(devicePath, "").length > 0) {
      wrong("devicePath", devicePath, "can not contain backsteps ('..')");
    } else paths.add(devicePath);
    if (mounts.some((one) => one["name"] === name)) {
      wrong("name", name, "must not already exist in volumeMounts");
    }
    if (mounts.some((one) => one["mountPath"] === devicePath)) {
      wrong("devicePath", devicePath, "must not already exist as a path in volumeMounts");
    }
    if (name) names.add(name);
    return errors;
  });
}
