// What pods may be told of themselves, in their environment and in files.
import { invalidValue, required, supported } from "../field-checks.ts";
import { qualifiedName } from "../name-rules.ts";
import { fileMode, filePath } from "../path-rules.ts";
import { all, fields, named, needed, none } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { amount } from "./resource-validation.ts";

const known = new Set([
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.phase",
  "status.podIP",
  "status.podIPs",
]);

const subscripted = /^(.*)\['(.*)'\]$/;

/** One entry of labels or annotations. */
function subscriptErrors(path: string, key: string, at: string): Errors {
  if (path === "metadata.annotations") return named(qualifiedName)(key.toLowerCase(), at);
  return named(qualifiedName)(key, at);
}

/** `paths` are those that may be asked for as a whole. */
export const fieldRef =
  (paths: readonly string[]): Rule =>
  ({ fieldPath = "", apiVersion = "v1" }, at) => {
    const field = `${at}.fieldPath`;
    if (!fieldPath) return [required(field)];
    const unconverted = (why: string) => [
      invalidValue(field, fieldPath, `error converting fieldPath: ${why}`),
    ];
    if (apiVersion !== "v1") return unconverted(`unsupported pod version: ${apiVersion}`);
    const [, path, key] = subscripted.exec(fieldPath) ?? [];
    if (path === "metadata.labels" || path === "metadata.annotations") {
      return subscriptErrors(path, key!, at);
    }
    if (path !== undefined) return unconverted(`field label does not support subscript: ${path}`);
    if (known.has(fieldPath)) return supported(field, fieldPath, paths);
    return unconverted(`field label not supported: ${fieldPath}`);
  };

const resources = ["cpu", "ephemeral-storage", "memory"];
const resourceNames = ["limits", "requests"].flatMap((list) =>
  resources.map((name) => `${list}.${name}`),
);
const isHugePages = (resource: string) => /^(limits|requests)\.hugepages-/.test(resource);

const byteUnits = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
const isByteUnit = new Set(byteUnits.split(", ").map(amount));

/** What numbers are divided by before they are told. */
function divisorErrors(resource: string, divisor: string | undefined, at: string): Errors {
  const value = amount(divisor ?? "0");
  if (value === 0 || value === undefined) return none;
  const [, name = ""] = /^(?:limits|requests)\.(.*)$/.exec(resource) ?? [];
  const isCpu = name === "cpu";
  if (!isCpu && !isHugePages(resource) && !resources.includes(name)) return none;
  if (isCpu ? value === 1 || value === 0.001 : isByteUnit.has(value)) return none;
  const words = isHugePages(resource)
    ? "hugepages"
    : name.replace("ephemeral-", "local ephemeral ");
  const units = isCpu ? "1m and 1" : byteUnits;
  const why = `only divisor's values ${units} are supported with the ${words} resource`;
  return [invalidValue(at, resource, why)];
}

/** In files, outside of any container, the container has to be told. */
export const resourceFieldRef =
  (isFile: boolean): Rule =>
  ({ containerName, resource = "", divisor }, at) => {
    const found: Errors =
      isFile && !containerName
        ? [required(`${at}.containerName`)]
        : resource === ""
          ? [required(`${at}.resource`)]
          : isHugePages(resource)
            ? none
            : supported(`${at}.resource`, resource, resourceNames);
    return [...found, ...divisorErrors(resource, divisor, `${at}.divisor`)];
  };

const filePaths = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];
const fileField = fieldRef(filePaths);
const fileResource = resourceFieldRef(true);

/** A file that tells a pod of itself. */
export const downwardFile: Rule = all(
  fields({ path: needed(filePath) }),
  ({ fieldRef: one, resourceFieldRef: other }, at) => {
    const both = "fieldRef and resourceFieldRef can not be specified simultaneously";
    if (one) {
      const errors = fileField(one, `${at}.fieldRef`);
      return other ? [...errors, invalidValue(at, "resource", both)] : errors;
    }
    if (other) return fileResource(other, `${at}.resourceFieldRef`);
    return [required(at, "one of fieldRef and resourceFieldRef is required")];
  },
  fields({ mode: fileMode }),
);

/** All of them, told at the volume, as upstream does. */
export const downwardFiles: Rule = (files: unknown[], at) =>
  files.flatMap((file) => downwardFile(file, at.slice(0, -".items".length)));
