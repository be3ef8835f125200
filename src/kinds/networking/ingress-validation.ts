// What the schema cannot say of Ingresses.
import type { FieldError } from "../../lib/status-error.ts";
import { dnsSubdomain, invalidValue, portNumber, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";

function backendErrors(backend: any, at: string): FieldError[] {
  const { service, resource } = backend ?? {};
  if (service && resource) {
    return [invalidValue(at, "", "cannot set both resource and service backends")];
  }
  if (resource) {
    return ["kind", "name"]
      .filter((one) => !resource[one])
      .map((f) => required(`${at}.resource.${f}`));
  }
  if (!service) return [required(at, "cannot be empty")];
  const errors = service.name ? [] : [required(`${at}.service.name`)];
  const { number, name } = service.port ?? {};
  if (number && name) {
    return [...errors, invalidValue(at, "", "cannot set both port name & port number")];
  }
  if (!number && !name) return [...errors, required(at, "port name or number is required")];
  return [...errors, ...portNumber(number || undefined, `${at}.service.port.number`)];
}

function pathErrors({ path = "", pathType, backend }: any, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!pathType) errors.push(required(`${at}.pathType`, "pathType must be specified"));
  errors.push(
    ...supported(`${at}.pathType`, pathType, ["Exact", "ImplementationSpecific", "Prefix"]),
  );
  const isAbsolute = path.startsWith("/") || (path === "" && pathType === "ImplementationSpecific");
  if (!isAbsolute) errors.push(invalidValue(`${at}.path`, path, "must be an absolute path"));
  for (const part of ["//", "/./", "/../"]) {
    if (pathType !== "ImplementationSpecific" && path.includes(part)) {
      errors.push(invalidValue(`${at}.path`, path, `must not contain '${part}'`));
    }
  }
  return [...errors, ...backendErrors(backend, `${at}.backend`)];
}

function hostErrors(host: string, at: string): FieldError[] {
  const why = dnsSubdomain(host.startsWith("*.") ? host.slice(2) : host);
  return why === undefined ? [] : [invalidValue(at, host, why)];
}

export function ingressErrors({ object: { spec }, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const list: any[] = spec?.rules ?? [];
  if (list.length === 0 && !spec?.defaultBackend) {
    const why = "either `defaultBackend` or `rules` must be specified";
    return [invalidValue("spec", spec ?? {}, why)];
  }
  const errors = spec.defaultBackend
    ? backendErrors(spec.defaultBackend, "spec.defaultBackend")
    : [];
  for (const [i, { host, http }] of list.entries()) {
    const at = `spec.rules[${i}]`;
    if (host) errors.push(...hostErrors(host, `${at}.host`));
    if (!http) continue;
    if (!http.paths?.length) errors.push(required(`${at}.http.paths`));
    for (const [j, one] of (http.paths ?? []).entries()) {
      errors.push(...pathErrors(one, `${at}.http.paths[${j}]`));
    }
  }
  return errors;
}
