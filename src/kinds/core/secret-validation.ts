// What a Secret's type promises of its data.
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dataErrors } from "./data-validation.ts";

type Data = Record<string, string>;

/** Nothing that a Secret holds is repeated. */
const redacted = "<secret contents redacted>";

const allOf = (data: Data, keys: string[]): FieldError[] =>
  keys.filter((key) => data[key] === undefined).map((key) => required(`data[${key}]`));

function jsonOf(data: Data, key: string): FieldError[] {
  if (data[key] === undefined) return [required(`data[${key}]`)];
  try {
    const value: unknown = JSON.parse(Buffer.from(data[key], "base64").toString());
    const isMap = typeof value === "object" && !Array.isArray(value);
    return isMap ? [] : [invalidValue(`data[${key}]`, redacted, "must be a JSON object")];
  } catch {
    return [invalidValue(`data[${key}]`, redacted, "must be valid JSON")];
  }
}

const accountKey = "kubernetes.io/service-account.name";

const types: Record<string, (data: Data, annotations: Data) => FieldError[]> = {
  "kubernetes.io/tls": (data) => allOf(data, ["tls.crt", "tls.key"]),
  "kubernetes.io/ssh-auth": (data) =>
    data["ssh-privatekey"] ? [] : [required("data[ssh-privatekey]")],
  "kubernetes.io/basic-auth": (data) =>
    data["username"] === undefined && data["password"] === undefined
      ? allOf(data, ["username", "password"])
      : [],
  "kubernetes.io/dockercfg": (data) => jsonOf(data, ".dockercfg"),
  "kubernetes.io/dockerconfigjson": (data) => jsonOf(data, ".dockerconfigjson"),
  "kubernetes.io/service-account-token": (_, annotations) =>
    annotations[accountKey] ? [] : [required(`metadata.annotations[${accountKey}]`)],
};

export function secretErrors(change: Change): FieldError[] {
  const { object } = change;
  const data: Data = object["data"] ?? {};
  return [
    ...dataErrors(change),
    ...(types[object["type"]]?.(data, object.metadata.annotations ?? {}) ?? []),
  ];
}
