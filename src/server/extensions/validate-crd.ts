// What a CustomResourceDefinition must be, in the words of apiextensions-apiserver. CEL is loaded when there are rules.
import type { Schema } from "../../kinds/schema.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { reviewVersions } from "./conversion.ts";
import { clientErrors } from "../../kinds/admissionregistration/client-config.ts";
import { isTrue, type Conversion, type Crd, type CrdNames, type CrdVersion } from "./crd.ts";
import { rootSchema } from "./crd-to-kinds.ts";
import { forbiddenField, invalidField, requiredField, unsupportedField } from "./field-errors.ts";
import { structuralErrors } from "./structural-schema.ts";
import { compileRules } from "./validation-rules.ts";

const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const label1035Message =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
  "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', " +
  "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/** Longest DNS label and subdomain, in characters. */
const labelCharsMax = 63;
const subdomainCharsMax = 253;

const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = [
  "binary",
  "byte",
  "date",
  "date-time",
  "double",
  "float",
  "int32",
  "int64",
  "password",
];

const approvalAnnotation = "api-approved.kubernetes.io";
const isProtected = (group: string) => /(^|\.)(k8s|kubernetes)\.io$/.test(group);

function labelError(field: string, value: string, text = value, prefix = ""): FieldError[] {
  const why = [];
  if (value.length > labelCharsMax) why.push(`must be no more than ${labelCharsMax} characters`);
  if (!label1035.test(value)) why.push(label1035Message);
  return why.length > 0 ? [invalidField(field, text, prefix + why.join(","))] : [];
}

/** Everything wrong with `crd`; `old` is what it replaces. */
export function validateCrd(crd: Crd, old?: Crd): FieldError[] {
  const { spec, metadata } = crd;
  if (!spec) return [requiredField("spec", "")];
  const errors = [
    ...groupErrors(crd),
    ...namesErrors(spec.names ?? ({} as CrdNames)),
    ...scopeErrors(crd),
    ...versionsErrors(spec.versions ?? []),
    ...conversionErrors(crd),
  ];
  const name = `${spec.names?.plural}.${spec.group}`;
  if (metadata.name !== name) {
    const why = 'must be spec.names.plural+"."+spec.group';
    errors.unshift(invalidField("metadata.name", metadata.name, why));
  }
  return old ? [...errors, ...updateErrors(crd, old)] : errors;
}

function groupErrors({ spec, metadata }: Crd): FieldError[] {
  const { group } = spec;
  if (!group) return [requiredField("spec.group", "")];
  if (!subdomain.test(group) || group.length > subdomainCharsMax) {
    return [invalidField("spec.group", group, subdomainMessage)];
  }
  if (!group.includes(".")) {
    return [invalidField("spec.group", group, "should be a domain with at least one dot")];
  }
  if (!isProtected(group) || metadata.annotations?.[approvalAnnotation]) return [];
  const why =
    `protected groups must have approval annotation "${approvalAnnotation}", ` +
    "see https://github.com/kubernetes/enhancements/pull/1111";
  return [requiredField(`metadata.annotations[${approvalAnnotation}]`, why)];
}

function namesErrors(names: CrdNames): FieldError[] {
  const at = "spec.names";
  const errors: FieldError[] = [];
  if (!names.plural) errors.push(requiredField(`${at}.plural`, ""));
  else errors.push(...labelError(`${at}.plural`, names.plural));
  if (names.singular) errors.push(...labelError(`${at}.singular`, names.singular));
  const mixed = "may have mixed case, but should otherwise match: ";
  for (const field of ["kind", "listKind"] as const) {
    const value = names[field];
    if (value) errors.push(...labelError(`${at}.${field}`, value.toLowerCase(), value, mixed));
    else if (field === "kind") errors.push(requiredField(`${at}.kind`, ""));
  }
  for (const field of ["shortNames", "categories"] as const) {
    names[field]?.forEach((one, i) => errors.push(...labelError(`${at}.${field}[${i}]`, one)));
  }
  if (names.kind && names.kind === names.listKind) {
    const why = "kind and listKind may not be the same";
    errors.push(invalidField(`${at}.listKind`, names.listKind, why));
  }
  return errors;
}

function scopeErrors({ spec }: Crd): FieldError[] {
  if (!spec.scope) return [requiredField("spec.scope", "")];
  if (spec.scope === "Namespaced" || spec.scope === "Cluster") return [];
  return [unsupportedField("spec.scope", spec.scope, ["Cluster", "Namespaced"])];
}

function versionsErrors(versions: CrdVersion[]): FieldError[] {
  const at = "spec.versions";
  const errors = versions.flatMap((version, i) => versionErrors(version, `${at}[${i}]`));
  if (new Set(versions.map((version) => version.name)).size < versions.length) {
    errors.push(invalidField(at, versions.map(bare), "must contain unique version names"));
  }
  if (versions.filter((version) => version.storage).length !== 1) {
    const why = "must have exactly one version marked as storage version";
    errors.push(invalidField(at, versions.map(bare), why));
  }
  return errors;
}

const bare = ({ name, served, storage }: CrdVersion) => ({ name, served, storage });

function versionErrors(version: CrdVersion, at: string): FieldError[] {
  const schemaPath = `${at}.schema.openAPIV3Schema`;
  const schema = version.schema?.openAPIV3Schema;
  const errors = labelError(`${at}.name`, version.name ?? "");
  if (!schema) errors.push(requiredField(schemaPath, "schemas are required"));
  else errors.push(...structuralErrors(schema, schemaPath), ...rulesErrors(schema, schemaPath));
  version.additionalPrinterColumns?.forEach((column, i) => {
    const path = `${at}.additionalPrinterColumns[${i}]`;
    if (!column.name) errors.push(requiredField(`${path}.name`, ""));
    if (!column.type) {
      const why = `must be one of ${columnTypes.join(",")}`;
      errors.push(requiredField(`${path}.type`, why));
    } else if (!columnTypes.includes(column.type)) {
      const why = `must be one of ${columnTypes.join(",")}`;
      errors.push(invalidField(`${path}.type`, column.type, why));
    }
    if (column.format && !columnFormats.includes(column.format)) {
      const why = `must be one of ${columnFormats.join(",")}`;
      errors.push(invalidField(`${path}.format`, column.format, why));
    }
    if (!column.jsonPath) errors.push(requiredField(`${path}.JSONPath`, ""));
    else if (!/^[.[]/.test(column.jsonPath)) {
      const why = "must be a simple json path starting with .";
      errors.push(invalidField(`${path}.JSONPath`, column.jsonPath, why));
    }
  });
  errors.push(...scaleErrors(version, `${at}.subresources.scale`));
  version.selectableFields?.forEach(({ jsonPath }, i) => {
    const path = `${at}.selectableFields[${i}].jsonPath`;
    if (!jsonPath) errors.push(requiredField(path, ""));
    else if (schema && !isSelectable(schema, jsonPath)) {
      const why =
        "must point to a field of type string, boolean or integer. Enum string fields and strings " +
        "with formats are allowed.";
      errors.push(invalidField(path, jsonPath, why));
    }
  });
  return errors;
}

/** Rules that do not compile. They may say of `self` what every object of the version has. */
function rulesErrors(schema: Schema, at: string): FieldError[] {
  const errors: FieldError[] = [];
  compileRules(rootSchema(schema), at, (path, value, why) =>
    errors.push(invalidField(path, value, why)),
  );
  return errors;
}

const simplePath = /^(\.[^.[\]]+)+$/;

function isSelectable(schema: Schema, path: string): boolean {
  if (!simplePath.test(path)) return false;
  const found = path
    .slice(1)
    .split(".")
    .reduce<Schema | undefined>((at, name) => at?.properties?.[name], schema);
  return ["string", "boolean", "integer"].includes(found?.type ?? "");
}

function scaleErrors(version: CrdVersion, at: string): FieldError[] {
  const scale = version.subresources?.scale;
  if (!scale) return [];
  const errors: FieldError[] = [];
  const check = (field: keyof typeof scale, under: string, required: boolean) => {
    const path = scale[field];
    if (!path) {
      if (required) errors.push(requiredField(`${at}.${field}`, ""));
    } else if (!simplePath.test(path)) {
      const why = "must be a json path in dot notation";
      errors.push(invalidField(`${at}.${field}`, path, why));
    } else if (!under.split(",").some((head) => path.startsWith(head))) {
      const why = `should be a json path under ${under.split(",").join(" or ")}`;
      errors.push(invalidField(`${at}.${field}`, path, why));
    }
  };
  check("specReplicasPath", ".spec", true);
  check("statusReplicasPath", ".status", true);
  check("labelSelectorPath", ".spec,.status", false);
  return errors;
}

function conversionErrors({ spec }: Crd): FieldError[] {
  const errors: FieldError[] = [];
  const at = "spec.conversion";
  const strategy = spec.conversion?.strategy ?? "None";
  if (strategy === "Webhook") {
    errors.push(...webhookErrors(spec.conversion?.webhook, `${at}.webhook`));
  } else if (strategy !== "None") {
    errors.push(unsupportedField(`${at}.strategy`, strategy, ["None", "Webhook"]));
  } else if (spec.conversion?.webhook) {
    const why = "should not be set when strategy is not set to Webhook";
    errors.push(forbiddenField(`${at}.webhook`, why));
  }
  if (spec.preserveUnknownFields) {
    const why =
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in " +
      "spec.versions[*].schema instead";
    errors.push(invalidField("spec.preserveUnknownFields", true, why));
  }
  return errors;
}

function webhookErrors(webhook: Conversion["webhook"], at: string): FieldError[] {
  const { clientConfig, conversionReviewVersions: versions = [] } = webhook ?? {};
  const errors: FieldError[] = [];
  if (!clientConfig) {
    errors.push(requiredField(`${at}.clientConfig`, "required when strategy is set to Webhook"));
  } else errors.push(...clientErrors(clientConfig, `${at}.clientConfig`));
  const path = `${at}.conversionReviewVersions`;
  if (versions.length === 0) {
    errors.push(requiredField(path, ""));
  } else if (!versions.some((version) => reviewVersions.includes(version))) {
    const why = `must include at least one of ${reviewVersions.join(", ")}`;
    errors.push(invalidField(path, versions, why));
  }
  return errors;
}

function updateErrors({ spec, status }: Crd, old: Crd): FieldError[] {
  const errors: FieldError[] = [];
  const immutable = (field: string, now: unknown, before: unknown) => {
    if (!jsonEqual(now, before)) errors.push(invalidField(field, now, "field is immutable"));
  };
  if (isTrue(old.status, "Established")) {
    immutable("spec.scope", spec.scope, old.spec.scope);
    immutable("spec.names.kind", spec.names?.kind, old.spec.names.kind);
  }
  immutable("spec.group", spec.group, old.spec.group);
  immutable("spec.names.plural", spec.names?.plural, old.spec.names.plural);
  const stored = status?.storedVersions ?? old.status?.storedVersions ?? [];
  stored.forEach((version, i) => {
    if (spec.versions?.some(({ name }) => name === version)) return;
    const why =
      `missing from spec.versions; ${version} was previously a storage version, and must remain ` +
      "in spec.versions until a storage migration ensures no data remains persisted in " +
      `${version} and removes ${version} from status.storedVersions`;
    errors.push(invalidField(`status.storedVersions[${i}]`, version, why));
  });
  return errors;
}
