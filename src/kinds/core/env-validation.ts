// What the schema cannot say of a container's environment.
import type { FieldError } from "../../lib/status-error.ts";
import { dnsSubdomain, invalidValue, required, supported } from "../field-checks.ts";
import { configKey } from "./config-key.ts";

type Any = Record<string, any>;

const nameWhy =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";
const isVariable = (name: string) => /^[ -<>-~]+$/.test(name);

const fieldPaths = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
const known = new Set([
  ...fieldPaths,
  "metadata.annotations",
  "metadata.labels",
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);

function fieldErrors({ fieldPath = "" }: Any, at: string): FieldError[] {
  const field = `${at}.fieldPath`;
  if (!fieldPath) return [required(field)];
  if (/^metadata\.(labels|annotations)\['.*'\]$/.test(fieldPath)) return [];
  if (known.has(fieldPath)) return supported(field, fieldPath, fieldPaths);
  const why = `error converting fieldPath: field label not supported: ${fieldPath}`;
  return [invalidValue(field, fieldPath, why)];
}

const resources = ["cpu", "ephemeral-storage", "memory"];
const resourceNames = ["limits", "requests"].flatMap((list) =>
  resources.map((name) => `${list}.${name}`),
);

function resourceErrors({ resource = "" }: Any, at: string): FieldError[] {
  const field = `${at}.resource`;
  if (!resource) return [required(field)];
  if (/^(limits|requests)\.hugepages-/.test(resource)) return [];
  return supported(field, resource, resourceNames);
}

function keyErrors({ name = "", key = "" }: Any, at: string): FieldError[] {
  const why = dnsSubdomain(name);
  const errors = why === undefined ? [] : [invalidValue(`${at}.name`, name, why)];
  if (!key) return [...errors, required(`${at}.key`)];
  const wrong = configKey(key);
  return wrong === undefined ? errors : [...errors, invalidValue(`${at}.key`, key, wrong)];
}

const noErrors = (): FieldError[] => [];
const sources: Record<string, (source: Any, at: string) => FieldError[]> = {
  fieldRef: fieldErrors,
  resourceFieldRef: resourceErrors,
  configMapKeyRef: keyErrors,
  secretKeyRef: keyErrors,
  fileKeyRef: noErrors,
};

export function variableErrors({ name, value, valueFrom }: Any, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${at}.name`));
  else if (!isVariable(name)) errors.push(invalidValue(`${at}.name`, name, nameWhy));
  if (!valueFrom) return errors;
  const given = Object.keys(sources).filter((source) => valueFrom[source]);
  const wrong = (why: string) => errors.push(invalidValue(`${at}.valueFrom`, "", why));
  for (const source of given) {
    errors.push(...sources[source]!(valueFrom[source], `${at}.valueFrom.${source}`));
  }
  const list = Object.keys(sources).map((one) => `\`${one}\``);
  if (given.length === 0) wrong(`must specify one of: ${list.join(", ")}`);
  else if (value) wrong("may not be specified when `value` is not empty");
  else if (given.length > 1) wrong("may not have more than one field specified at a time");
  return errors;
}

function nameErrors(source: Any | undefined, at: string): FieldError[] {
  if (!source) return [];
  const { name = "" } = source;
  if (!name) return [required(`${at}.name`)];
  const why = dnsSubdomain(name);
  return why === undefined ? [] : [invalidValue(`${at}.name`, name, why)];
}

export const fromErrors = (from: Any[], at: string): FieldError[] =>
  from.flatMap(({ prefix, configMapRef, secretRef }, i) => {
    const field = `${at}[${i}]`;
    const errors =
      prefix && !isVariable(prefix) ? [invalidValue(`${field}.prefix`, prefix, nameWhy)] : [];
    errors.push(...nameErrors(configMapRef, `${field}.configMapRef`));
    errors.push(...nameErrors(secretRef, `${field}.secretRef`));
    if (configMapRef && secretRef) {
      errors.push(invalidValue(field, "", "may not have more than one field specified at a time"));
    } else if (!configMapRef && !secretRef) {
      errors.push(invalidValue(field, "", "must specify one of: `configMapRef` or `secretRef`"));
    }
    return errors;
  });
