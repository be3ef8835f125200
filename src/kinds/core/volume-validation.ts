// What a pod's volumes are made of: one source each, and paths that stay where they belong.
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";

type Any = Record<string, any>;

const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

const isBelow = (path: string) => !path.split("/").includes("..");

export function hostPathErrors(source: Any | undefined, at: string): FieldError[] {
  if (!source) return [];
  const { path, type } = source;
  const errors = supported(`${at}.type`, type, hostPathTypes);
  if (!path) errors.push(required(`${at}.path`));
  else if (!isBelow(path)) {
    errors.push(invalidValue(`${at}.path`, path, "must not contain '..'"));
  }
  return errors;
}

function itemErrors({ key, path = "" }: Any, at: string): FieldError[] {
  const errors = key ? [] : [required(`${at}.key`)];
  if (!path) errors.push(required(`${at}.path`));
  else if (path.startsWith("/")) {
    errors.push(invalidValue(`${at}.path`, path, "must be a relative path"));
  } else if (!isBelow(path)) {
    errors.push(invalidValue(`${at}.path`, path, "must not contain '..'"));
  } else if (path.startsWith("..")) {
    errors.push(invalidValue(`${at}.path`, path, "must not start with '..'"));
  }
  return errors;
}

/** Which field of a source names the object that it shows. */
const names: Record<string, string> = {
  configMap: "name",
  persistentVolumeClaim: "claimName",
  secret: "secretName",
};

/** Errors of the volume at `at`, its name aside. */
export function volumeSourceErrors(sources: Any, at: string): FieldError[] {
  const given = Object.keys(sources).filter((field) => field !== "name");
  const errors = given
    .slice(1)
    .map((field) => forbiddenValue(`${at}.${field}`, "may not specify more than 1 volume type"));
  for (const field of given) {
    const source = sources[field] ?? {};
    const name = names[field];
    if (name && !source[name]) errors.push(required(`${at}.${field}.${name}`));
    if (field !== "configMap" && field !== "secret") continue;
    for (const [i, item] of (source.items ?? []).entries()) {
      errors.push(...itemErrors(item, `${at}.${field}.items[${i}]`));
    }
  }
  return [...errors, ...hostPathErrors(sources["hostPath"], `${at}.hostPath`)];
}
