// What the schema cannot say of Ingresses, and of their classes.
import { isAddress } from "../../lib/ip-range.ts";
import type { FieldError } from "../../lib/status-error.ts";
import {
  forbiddenValue,
  invalidValue,
  nameErrors,
  portNumber,
  required,
  supported,
} from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel, dnsSubdomain, pathSegment, portName, wildcardSubdomain } from "../name-rules.ts";
import { each, fields, given, named, needed, none, tooLong } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

type Any = Record<string, any>;

const reference = fields({
  apiGroup: named(dnsSubdomain),
  kind: needed(named(pathSegment)),
  name: needed(named(pathSegment)),
});

function serviceErrors({ name, port = {} }: Any, at: string): Errors {
  const errors = needed(named(dnsLabel))(name, `${at}.service.name`);
  const field = `${at}.service.port`;
  if (port.name && port.number) {
    return [...errors, invalidValue(at, "", "cannot set both port name & port number")];
  }
  if (port.name) return [...errors, ...named(portName)(port.name, `${field}.name`)];
  return port.number
    ? [...errors, ...portNumber(port.number, `${field}.number`)]
    : [...errors, required(at, "port name or number is required")];
}

const backend: Rule = ({ service, resource }, at) => {
  const wrong = (why: string) => [invalidValue(at, "", why)];
  if (service && resource) return wrong("cannot set both resource and service backends");
  if (resource) return reference(resource, `${at}.resource`);
  return service ? serviceErrors(service, at) : wrong("resource or service backend is required");
};

const partsNot = ["//", "/./", "/../", "%2f", "%2F"];
const endsNot = ["/..", "/."];

function pathErrors(path: string, pathType: string, at: string): FieldError[] {
  const absolute = "must be an absolute path";
  const errors = path.startsWith("/") ? [] : [invalidValue(at, path, absolute)];
  if (pathType === "ImplementationSpecific") return path === "" ? [] : errors;
  return [
    ...errors,
    ...partsNot
      .filter((part) => path.includes(part))
      .map((part) => invalidValue(at, path, `must not contain '${part}'`)),
    ...endsNot
      .filter((end) => path.endsWith(end))
      .map((end) => invalidValue(at, path, `cannot end with '${end}'`)),
  ];
}

const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];

const httpPath: Rule = ({ path = "", pathType, backend: to = {} }, at) => {
  if (pathType === undefined) return [required(`${at}.pathType`, "pathType must be specified")];
  const errors = supported(`${at}.pathType`, pathType, pathTypes);
  return [
    ...(errors.length > 0 ? errors : pathErrors(path, pathType, `${at}.path`)),
    ...backend(to, `${at}.backend`),
  ];
};

const name: Rule = (host: string, at) =>
  nameErrors(host.includes("*") ? wildcardSubdomain : dnsSubdomain, host, at);

const host: Rule = (text: string, at) => [
  ...(isAddress(text) ? [invalidValue(at, text, "must be a DNS name, not an IP address")] : none),
  ...name(text, at),
];

const spec = fields({
  defaultBackend: backend,
  rules: each(fields({ host: given(host), http: fields({ paths: needed(each(httpPath)) }) })),
  tls: each(fields({ hosts: each(name), secretName: given(named(dnsSubdomain)) })),
  ingressClassName: named(dnsSubdomain),
});

const className = "kubernetes.io/ingress.class";

export function ingressErrors({ object, old, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const { spec: now = {}, metadata } = object;
  const { rules = [], defaultBackend, ingressClassName } = now;
  const annotated = metadata.annotations?.[className];
  const errors: FieldError[] = [];
  if (rules.length === 0 && !defaultBackend) {
    const why = "either `defaultBackend` or `rules` must be specified";
    errors.push(invalidValue("spec", now.rules ?? null, why));
  }
  errors.push(...spec(now, "spec"));
  const isTwice = annotated !== undefined && ingressClassName !== undefined;
  if (!old && isTwice && annotated !== ingressClassName) {
    const why = "must match `ingressClassName` when both are specified";
    errors.push(invalidValue(`annotations.${className}`, annotated, why));
  }
  return errors;
}

const controllerCharsMax = 250;
const pathCharacters = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;
const pathWhy = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/** A domain and a path, as whoever acts on an object is named. */
export const domainPrefixedPath: Rule = (text: string, at) => {
  if (text === "") return [required(at)];
  const slash = text.indexOf("/");
  const [domain, path] = [text.slice(0, Math.max(slash, 0)), text.slice(slash + 1)];
  if (!domain || !path) {
    return [invalidValue(at, text, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  return [
    ...nameErrors(dnsSubdomain, domain, at),
    ...(pathCharacters.test(path) ? none : [invalidValue(at, path, pathWhy)]),
  ];
};

const parameters: Rule = (value, at) => {
  const { scope, namespace } = value;
  const field = `${at}.namespace`;
  const errors = reference(value, at);
  if (scope === "Namespace") {
    const missing = "`parameters.scope` is set to 'Namespace'";
    return [
      ...errors,
      ...(namespace === undefined ? [required(field, missing)] : named(dnsLabel)(namespace, field)),
    ];
  }
  const wrong = supported(`${at}.scope`, scope ?? "Cluster", ["Cluster", "Namespace"]);
  const unset = "`parameters.scope` is set to 'Cluster'";
  return scope === "Cluster" && namespace !== undefined
    ? [...errors, forbiddenValue(field, unset)]
    : [...errors, ...wrong];
};

const controller: Rule = (name: string, at) =>
  name.length > controllerCharsMax
    ? [tooLong(at, controllerCharsMax)]
    : domainPrefixedPath(name, at);

const ingressClass = fields({ controller: given(controller), parameters });

export function ingressClassErrors({ object, old }: Change): Errors {
  const { spec: now = {} } = object;
  const errors = ingressClass(now, "spec");
  return old || now.controller ? errors : [...errors, required("spec.controller")];
}
