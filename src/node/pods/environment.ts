// A container's environment: services first, then envFrom, then env, each able to refer to what came before.
// What is missing stops the container with CreateContainerConfigError.
import { expand } from "./expand.ts";
import { fieldValue, resourceValue } from "./field-ref.ts";
import type { NodeFacts } from "./field-ref.ts";
import { ConfigError } from "./config-error.ts";
import type { FileValues } from "./file-variables.ts";
import type { Objects } from "../objects.ts";
import type { Container, Pod } from "./pod.ts";
import { serviceVariables } from "./service-variables.ts";

export interface EnvironmentInput {
  pod: Pod;
  container: Container;
  objects: Objects;
  facts: NodeFacts;
  podIps: string[];
  /** Of files in its volumes. */
  files: FileValues;
}

const decode = (base64: string) => Buffer.from(base64, "base64").toString();

type Source = "configMap" | "secret";

/** All of a ConfigMap's or Secret's text values; undefined when it is not there. */
function valuesOf(input: EnvironmentInput, source: Source, name: string) {
  const namespace = input.pod.metadata.namespace ?? "";
  const object = input.objects[source](namespace, name);
  if (!object || source === "configMap") return object?.["data"] ?? (object && {});
  const entries = Object.entries<string>(object["data"] ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, decode(value)]));
}

const kindName = { configMap: "configmap", secret: "secret" };

interface KeyRef {
  name: string;
  key: string;
  optional?: boolean;
}

function keyValue(input: EnvironmentInput, source: Source, ref: KeyRef): string | undefined {
  const values = valuesOf(input, source, ref.name);
  const value = values?.[ref.key];
  if (value !== undefined || ref.optional) return value;
  if (!values) throw new ConfigError(`${kindName[source]} "${ref.name}" not found`);
  const place = `${input.pod.metadata.namespace}/${ref.name}`;
  const kind = source === "configMap" ? "ConfigMap" : "Secret";
  throw new ConfigError(`couldn't find key ${ref.key} in ${kind} ${place}`);
}

function fromRef(input: EnvironmentInput, valueFrom: any): string | undefined {
  const { pod, container, facts, podIps } = input;
  if (valueFrom.fieldRef) {
    const path = valueFrom.fieldRef.fieldPath;
    const value = fieldValue(pod, path, facts, podIps);
    if (value === undefined) throw new ConfigError(`unsupported fieldPath: ${path}`);
    return value;
  }
  if (valueFrom.resourceFieldRef) {
    return resourceValue(pod, valueFrom.resourceFieldRef, facts, container.name);
  }
  if (valueFrom.configMapKeyRef) return keyValue(input, "configMap", valueFrom.configMapKeyRef);
  if (valueFrom.secretKeyRef) return keyValue(input, "secret", valueFrom.secretKeyRef);
  if (valueFrom.fileKeyRef) return input.files(valueFrom.fileKeyRef);
  throw new ConfigError(`env valueFrom.${Object.keys(valueFrom)[0]} is not supported`);
}

function addFrom(input: EnvironmentInput, from: any, into: Map<string, string>) {
  const source: Source = from.configMapRef ? "configMap" : "secret";
  const ref = from.configMapRef ?? from.secretRef ?? {};
  const values = valuesOf(input, source, ref.name);
  if (!values) {
    if (ref.optional) return;
    throw new ConfigError(`${kindName[source]} "${ref.name}" not found`);
  }
  for (const [key, value] of Object.entries<string>(values)) {
    into.set(`${from.prefix ?? ""}${key}`, value);
  }
}

/** Throws ConfigError, in upstream's words. */
export function environment(input: EnvironmentInput): Map<string, string> {
  const { pod, container, objects } = input;
  const services = serviceVariables(pod, objects);
  const result = new Map<string, string>();
  for (const from of container.envFrom ?? []) addFrom(input, from, result);
  const lookup = (name: string) => result.get(name) ?? services.get(name);
  for (const { name, value, valueFrom } of container.env ?? []) {
    const found = valueFrom ? fromRef(input, valueFrom) : expand(value ?? "", lookup);
    if (found !== undefined) result.set(name, found);
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return result;
}
