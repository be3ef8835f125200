// What holds of every object's metadata: names, labels, annotations.
import type { FieldError } from "../lib/status-error.ts";
import { dnsLabel, dnsSubdomain, invalidValue, pathSegment } from "./field-checks.ts";
import type { NameRule } from "./field-checks.ts";
import type { KubeObject } from "./object.ts";

const annotationBytesMax = 256 * 1024;
const name = /^([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$/;
const value = /^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$/;

const keyWhy =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
  "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueWhy =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and " +
  "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/** Rules other than the DNS subdomain, by resource name. */
const rules: Record<string, NameRule> = {
  namespaces: dnsLabel,
  services: dnsLabel,
  "roles.rbac.authorization.k8s.io": pathSegment,
  "rolebindings.rbac.authorization.k8s.io": pathSegment,
  "clusterroles.rbac.authorization.k8s.io": pathSegment,
  "clusterrolebindings.rbac.authorization.k8s.io": pathSegment,
  "ipaddresses.networking.k8s.io": pathSegment,
  "apiservices.apiregistration.k8s.io": pathSegment,
};

/** A name that may have a domain before it; gives why it is none. */
export function qualifiedName(key: string): string | undefined {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const why = prefix === undefined ? undefined : dnsSubdomain(prefix);
  if (why !== undefined) return `prefix part ${why}`;
  return name.test(key.slice(slash + 1)) ? undefined : keyWhy;
}

function keyErrors(key: string, field: string): FieldError[] {
  const why = qualifiedName(key);
  return why === undefined ? [] : [invalidValue(field, key, why)];
}

/** Gives why `text` is no value of a label. */
export const labelValue = (text: string): string | undefined =>
  value.test(text) ? undefined : valueWhy;

export function labelErrors(
  labels: Record<string, string> | undefined,
  field: string,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const key in labels) {
    errors.push(...keyErrors(key, field));
    if (!value.test(labels[key]!)) errors.push(invalidValue(field, labels[key], valueWhy));
  }
  return errors;
}

export function metadataErrors({ metadata }: KubeObject, resource: string): FieldError[] {
  const why = (rules[resource] ?? dnsSubdomain)(metadata.name);
  const errors = why ? [invalidValue("metadata.name", metadata.name, why)] : [];
  errors.push(...labelErrors(metadata.labels, "metadata.labels"));
  let bytes = 0;
  for (const key in metadata.annotations) {
    errors.push(...keyErrors(key.toLowerCase(), "metadata.annotations"));
    bytes += key.length + metadata.annotations[key]!.length;
  }
  if (bytes > annotationBytesMax) {
    const message = `Too long: may not be more than ${annotationBytesMax} bytes`;
    errors.push({ type: "FieldValueTooLong", field: "metadata.annotations", message });
  }
  return errors;
}
