// The files that a ConfigMap, a Secret or the pod itself gives to a volume. Pure.
import { fieldValue, resourceValue } from "../pods/field-ref.ts";
import type { Files } from "./atomic-writer.ts";
import type { VolumeContext } from "./volume.ts";
import { VolumeError } from "./volume.ts";

interface KeyToPath {
  key: string;
  path: string;
  mode?: number;
}

export interface KeyedSource {
  kind: "configmap" | "secret";
  name: string;
  items?: KeyToPath[];
  optional?: boolean;
  defaultMode: number;
}

/** As kubelet does: no absolute path, no `..`. */
function checkedPath(path: string): string {
  const parts = path.split("/");
  if (path === "" || path.startsWith("/") || parts.includes("..")) {
    throw new VolumeError(`invalid path ${JSON.stringify(path)}: must be relative without '..'`);
  }
  return parts.filter((part) => part !== "" && part !== ".").join("/");
}

function contents({ pod, objects }: VolumeContext, { kind, name, optional }: KeyedSource) {
  const namespace = pod.metadata.namespace ?? "";
  const get = kind === "configmap" ? objects.configMap : objects.secret;
  const object = get(namespace, name);
  if (!object && !optional) throw new VolumeError(`${kind} "${name}" not found`);
  const result = new Map<string, Uint8Array>();
  const encoding = kind === "configmap" ? "utf8" : "base64";
  for (const [key, value] of Object.entries<string>(object?.["data"] ?? {})) {
    result.set(key, Buffer.from(value, encoding));
  }
  for (const [key, value] of Object.entries<string>(object?.["binaryData"] ?? {})) {
    result.set(key, Buffer.from(value, "base64"));
  }
  return result;
}

export function keyedFiles(context: VolumeContext, source: KeyedSource): Files {
  const { items, defaultMode, optional, kind } = source;
  const values = contents(context, source);
  const files: Files = new Map();
  if (!items?.length) {
    for (const [key, content] of values) files.set(key, { content, mode: defaultMode });
    return files;
  }
  for (const { key, path, mode = defaultMode } of items) {
    const content = values.get(key);
    if (content) files.set(checkedPath(path), { content, mode });
    else if (!optional) {
      const noun = kind === "configmap" ? "configmap" : "secret";
      throw new VolumeError(`${noun} references non-existent ${noun} key: ${key}`);
    }
  }
  return files;
}

export function downwardFiles(context: VolumeContext, items: any[], defaultMode: number): Files {
  const { pod, facts, podIps } = context;
  const files: Files = new Map();
  for (const { path, fieldRef, resourceFieldRef, mode = defaultMode } of items) {
    const value = fieldRef
      ? fieldValue(pod, fieldRef.fieldPath, facts, podIps)
      : resourceValue(pod, resourceFieldRef, facts);
    if (value === undefined) throw new VolumeError(`unsupported fieldPath: ${fieldRef.fieldPath}`);
    files.set(checkedPath(path), { content: Buffer.from(value), mode });
  }
  return files;
}
