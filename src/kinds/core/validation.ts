// What the schema cannot say of the core group's other kinds.
import { isAddress, isCidr } from "../../lib/ip-range.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import {
  dnsLabel,
  duplicate,
  forbiddenValue,
  invalidValue,
  portNumberOrName,
  required,
  supported,
  wrongAddress,
  wrongCidr,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { selectorErrors } from "../selector-validation.ts";
import { accessModes, volumeModes } from "../storage/validation.ts";
import { labelErrors } from "../validate-metadata.ts";
import { configKey } from "./config-key.ts";
import { amount } from "./resource-validation.ts";

const dataBytesMax = 1024 * 1024;
/** ConfigMaps and Secrets: keys, size, and what `immutable` promises. */
export function dataErrors({ object, old }: Change): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const field of ["data", "binaryData"]) {
    for (const [key, text] of Object.entries<string>(object[field] ?? {})) {
      const why = configKey(key);
      if (why !== undefined) errors.push(invalidValue(`${field}[${key}]`, key, why));
      else if (field === "data" && object["binaryData"]?.[key] !== undefined) {
        errors.push(invalidValue(`data[${key}]`, key, "duplicate of key present in binaryData"));
      }
      const isBase64 = field === "binaryData" || object.kind === "Secret";
      bytes += Buffer.byteLength(text, isBase64 ? "base64" : "utf8");
    }
  }
  if (bytes > dataBytesMax) {
    const message = `Too long: may not be more than ${dataBytesMax} bytes`;
    errors.push({ type: "FieldValueTooLong", field: "[]", message });
  }
  if (old?.["type"] && old["type"] !== object["type"]) {
    errors.push(invalidValue("type", object["type"], "field is immutable"));
  }
  if (old?.["immutable"] !== true) return errors;
  const why = "field is immutable when `immutable` is set";
  if (object["immutable"] !== true) errors.push(forbiddenValue("immutable", why));
  for (const field of ["data", "binaryData"]) {
    if (!jsonEqual(old[field], object[field])) errors.push(forbiddenValue(field, why));
  }
  return errors;
}

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

function portNameErrors(ports: any[], i: number): FieldError[] {
  const field = `spec.ports[${i}].name`;
  const { name } = ports[i];
  const why = dnsLabel(name);
  if (why !== undefined) return [invalidValue(field, name, why)];
  return ports.findIndex((one) => one.name === name) < i ? [duplicate(field, name)] : [];
}

function servicePortErrors(ports: any[]): FieldError[] {
  const seen = new Set<string>();
  return ports.flatMap((port, i) => {
    const field = `spec.ports[${i}]`;
    const errors = supported(`${field}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]);
    if (ports.length > 1 && !port.name) errors.push(required(`${field}.name`));
    if (!(port.port >= 1 && port.port <= 65535)) {
      errors.push(
        invalidValue(`${field}.port`, port.port ?? 0, "must be between 1 and 65535, inclusive"),
      );
    }
    if (port.name) errors.push(...portNameErrors(ports, i));
    if (port.targetPort !== undefined && port.targetPort !== 0 && port.targetPort !== "") {
      errors.push(...portNumberOrName(port.targetPort, `${field}.targetPort`));
    }
    const key = `${port.protocol}/${port.port}`;
    if (seen.has(key)) errors.push(duplicate(field, { protocol: port.protocol, port: port.port }));
    seen.add(key);
    return errors;
  });
}

const affinitySecondsMax = 86_400;

/** Which addresses and clients it is for, and how long it remembers them. */
function serviceReachErrors(spec: any): FieldError[] {
  const errors = labelErrors(spec.selector, "spec.selector");
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) {
    if (!isAddress(ip)) errors.push(invalidValue(`spec.externalIPs[${i}]`, ip, wrongAddress));
  }
  for (const [i, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    if (isCidr(range.trim())) continue;
    errors.push(invalidValue(`spec.loadBalancerSourceRanges[${i}]`, range, wrongCidr));
  }
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds !== undefined && (seconds <= 0 || seconds > affinitySecondsMax)) {
    const field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
    const why = `must be greater than 0 and less than ${affinitySecondsMax}`;
    errors.push(invalidValue(field, seconds, why));
  }
  return errors;
}

/** Updates may leave ports behind that a former type had. */
const nodePortErrors = (spec: any): FieldError[] =>
  spec.type === "ClusterIP" || spec.type === undefined
    ? (spec.ports ?? []).flatMap((port: any, i: number) =>
        port.nodePort
          ? [
              forbiddenValue(
                `spec.ports[${i}].nodePort`,
                "may not be used when `type` is 'ClusterIP'",
              ),
            ]
          : [],
      )
    : [];

export function serviceErrors({ object: { spec }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  if (!spec) return [required("spec.ports")];
  const errors = supported("spec.type", spec.type, types);
  const headless = spec.clusterIP === "None";
  if (!spec.ports?.length && !headless && spec.type !== "ExternalName") {
    errors.push(required("spec.ports"));
  }
  if (spec.type === "ExternalName" && !spec.externalName)
    errors.push(required("spec.externalName"));
  errors.push(
    ...(old ? [] : nodePortErrors(spec)),
    ...serviceReachErrors(spec),
    ...servicePortErrors(spec.ports ?? []),
    ...supported("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]),
  );
  return errors;
}

/** What an update may not change. A class may be given to a claim that has none, as a default one is. */
function fixedOf(spec: any, before: any) {
  const { resources: _r, volumeName: _v, volumeAttributesClassName: _a, ...fixed } = spec;
  if (before.storageClassName === undefined) delete fixed.storageClassName;
  return fixed;
}

export function claimErrors({ object: { spec }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const errors: FieldError[] = [];
  if (!spec?.accessModes?.length) {
    errors.push(required("spec.accessModes", "at least 1 access mode is required"));
  }
  for (const mode of spec?.accessModes ?? []) {
    errors.push(...supported("spec.accessModes", mode, accessModes));
  }
  if (spec?.accessModes?.includes("ReadWriteOncePod") && spec.accessModes.length > 1) {
    const why = "may not use ReadWriteOncePod with other access modes";
    errors.push(forbiddenValue("spec.accessModes", why));
  }
  errors.push(
    ...(old ? [] : selectorErrors(spec?.selector, "spec.selector")),
    ...supported("spec.volumeMode", spec?.volumeMode, volumeModes),
  );
  const storage = spec?.resources?.requests?.storage;
  if (!storage) errors.push(required("spec.resources[storage]"));
  else if ((amount(storage) ?? 0) <= 0) {
    errors.push(invalidValue("spec.resources[storage]", storage, "must be greater than zero"));
  }
  if (old && !jsonEqual(fixedOf(old.spec, old.spec), fixedOf(spec, old.spec))) {
    const why =
      "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    errors.push(forbiddenValue("spec", why));
  }
  return errors;
}
