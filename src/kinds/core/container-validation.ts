// What the schema cannot say of containers (pkg/apis/core/validation).
import type { FieldError } from "../../lib/status-error.ts";
import {
  dnsLabel,
  duplicate,
  forbiddenValue,
  invalidValue,
  notFoundValue,
  notNegative,
  portNumber,
  portNumberOrName,
  required,
  supported,
} from "../field-checks.ts";
import { fromErrors, variableErrors } from "./env-validation.ts";
import { resourceErrors } from "./resource-validation.ts";

type Any = Record<string, any>;

function portErrors(ports: Any[], at: string): FieldError[] {
  return ports.flatMap((port, i) => {
    const field = `${at}[${i}]`;
    const { name, containerPort } = port;
    const errors: FieldError[] = name ? portNumberOrName(name, `${field}.name`) : [];
    if (name && errors.length === 0 && ports.findIndex((one) => one["name"] === name) < i) {
      errors.push(duplicate(`${field}.name`, name));
    }
    if (!containerPort) errors.push(required(`${field}.containerPort`));
    errors.push(
      ...portNumber(containerPort || undefined, `${field}.containerPort`),
      ...portNumber(port["hostPort"] || undefined, `${field}.hostPort`),
      ...supported(`${field}.protocol`, port["protocol"], ["SCTP", "TCP", "UDP"]),
    );
    return errors;
  });
}

const handlers = ["exec", "httpGet", "tcpSocket", "grpc"];

/** What a probe or a hook does: one thing. */
function handlerErrors(handler: Any, at: string): FieldError[] {
  const given = [...handlers, "sleep"].filter((name) => handler[name]);
  if (given.length === 0) return [required(at, "must specify a handler type")];
  const second = given[1];
  if (second)
    return [forbiddenValue(`${at}.${second}`, "may not specify more than 1 handler type")];
  const errors = ["httpGet", "tcpSocket"].flatMap((name) =>
    handler[name] ? portNumberOrName(handler[name].port ?? 0, `${at}.${name}.port`) : [],
  );
  const { scheme } = handler["httpGet"] ?? {};
  errors.push(...supported(`${at}.httpGet.scheme`, scheme, ["HTTP", "HTTPS"]));
  if (handler["grpc"]) errors.push(...portNumber(handler["grpc"].port ?? 0, `${at}.grpc.port`));
  if (handler["exec"] && !handler["exec"].command?.length) {
    errors.push(required(`${at}.exec.command`));
  }
  return errors;
}

const times = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
];

function probeErrors(container: Any, at: string): FieldError[] {
  return ["livenessProbe", "readinessProbe", "startupProbe"].flatMap((name) => {
    const probe = container[name];
    if (!probe) return [];
    const field = `${at}.${name}`;
    const errors = [
      ...handlerErrors(probe, field),
      ...times.flatMap((one) => notNegative(probe[one], `${field}.${one}`)),
    ];
    const { successThreshold: count = 1 } = probe;
    if (name !== "readinessProbe" && count > 1) {
      errors.push(invalidValue(`${field}.successThreshold`, count, "must be 1"));
    }
    return errors;
  });
}

const hookErrors = (lifecycle: Any | undefined, at: string): FieldError[] =>
  ["postStart", "preStop"].flatMap((name) =>
    lifecycle?.[name] ? handlerErrors(lifecycle[name], `${at}.${name}`) : [],
  );

const idMax = 2 ** 31 - 1;

function idErrors(context: Any, at: string): FieldError[] {
  return ["runAsUser", "runAsGroup"].flatMap((field) => {
    const id = context[field];
    if (id === undefined || (id >= 0 && id <= idMax)) return [];
    return [invalidValue(`${at}.${field}`, id, `must be between 0 and ${idMax}, inclusive`)];
  });
}

function securityErrors(context: Any | undefined, at: string): FieldError[] {
  return context ? [...idErrors(context, at), ...escalationErrors(context, at)] : [];
}

function escalationErrors(context: Any, at: string): FieldError[] {
  if (context["allowPrivilegeEscalation"] !== false) return [];
  const wrong = (why: string) => [invalidValue(at, "", why)];
  if (context["privileged"]) {
    return wrong("cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
  const added: string[] = context["capabilities"]?.add ?? [];
  return added.some((one) => one === "CAP_SYS_ADMIN")
    ? wrong("cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN")
    : [];
}

const pullPolicies = ["Always", "IfNotPresent", "Never"];

const recursiveModes = ["Disabled", "Enabled", "IfPossible"];

function recursiveErrors(mount: Any, field: string): FieldError[] {
  const mode = mount["recursiveReadOnly"];
  if (mode === undefined) return [];
  const errors = supported(field, mode, recursiveModes);
  if (mode === "Disabled" || errors.length > 0) return errors;
  if (!mount["readOnly"])
    errors.push(forbiddenValue(field, "may only be specified when readOnly is true"));
  if ((mount["mountPropagation"] ?? "None") !== "None") {
    const why = "may only be specified when mountPropagation is None or not specified";
    errors.push(forbiddenValue(field, why));
  }
  return errors;
}

function subPathErrors({ subPath, subPathExpr }: Any, at: string): FieldError[] {
  if (subPath && subPathExpr) {
    return [
      invalidValue(
        `${at}.subPathExpr`,
        subPathExpr,
        "subPathExpr and subPath are mutually exclusive",
      ),
    ];
  }
  return Object.entries({ subPath, subPathExpr }).flatMap(([name, path = ""]) => {
    if (path.startsWith("/"))
      return [invalidValue(`${at}.${name}`, path, "must be a relative path")];
    return path.split("/").includes("..")
      ? [invalidValue(`${at}.${name}`, path, "must not contain '..'")]
      : [];
  });
}

/** `volumes` are those that its mounts may name. */
export function containerErrors(container: Any, at: string, volumes: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  const why = container["name"] && dnsLabel(container["name"]);
  if (!container["name"]) errors.push(required(`${at}.name`));
  else if (why) errors.push(invalidValue(`${at}.name`, container["name"], why));
  if (!container["image"]) errors.push(required(`${at}.image`));
  errors.push(
    ...portErrors(container["ports"] ?? [], `${at}.ports`),
    ...supported(`${at}.imagePullPolicy`, container["imagePullPolicy"], pullPolicies),
    ...supported(`${at}.terminationMessagePolicy`, container["terminationMessagePolicy"], [
      "FallbackToLogsOnError",
      "File",
    ]),
    ...resourceErrors(container["resources"], `${at}.resources`),
    ...probeErrors(container, at),
    ...hookErrors(container["lifecycle"], `${at}.lifecycle`),
    ...(container["env"] ?? []).flatMap((one: Any, i: number) =>
      variableErrors(one, `${at}.env[${i}]`),
    ),
    ...fromErrors(container["envFrom"] ?? [], `${at}.envFrom`),
    ...securityErrors(container["securityContext"], `${at}.securityContext`),
  );
  const mounted = new Set<string>();
  for (const [i, mount] of (container["volumeMounts"] ?? []).entries()) {
    const field = `${at}.volumeMounts[${i}]`;
    if (!mount.mountPath) errors.push(required(`${field}.mountPath`));
    else if (mounted.has(mount.mountPath)) {
      errors.push(invalidValue(`${field}.mountPath`, mount.mountPath, "must be unique"));
    }
    mounted.add(mount.mountPath);
    errors.push(...subPathErrors(mount, field));
    if (!volumes.has(mount.name)) errors.push(notFoundValue(`${field}.name`, mount.name));
    errors.push(...recursiveErrors(mount, `${field}.recursiveReadOnly`));
  }
  return errors;
}
