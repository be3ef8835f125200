// ConfigMaps and Secrets made from literals and files, under names that change with their content. Pure.
import { createHash } from "node:crypto";
import type { BuildObject } from "./object.ts";

export interface GeneratorOptions {
  disableNameSuffixHash?: boolean;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  immutable?: boolean;
}

export interface Generator {
  name: string;
  namespace?: string;
  literals?: string[];
  files?: string[];
  envs?: string[];
  options?: GeneratorOptions;
  /** Of Secrets. */
  type?: string;
}

const letters: Record<string, string> = { 0: "g", 1: "h", 3: "k", a: "m", e: "t" };

/** As Go's encoder writes JSON, with keys in order. */
function goJson(value: any): string {
  if (typeof value === "object" && value !== null) {
    const entries = Object.keys(value)
      .sort()
      .map((key) => `${goJson(key)}:${goJson(value[key])}`);
    return `{${entries.join(",")}}`;
  }
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (one) => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Kustomize's suffix: ten characters that no word is made of. */
export function contentHash(object: BuildObject): string {
  const { kind, data, binaryData, type } = object;
  const hashed = {
    // Kustomize means the name here and never finds it.
    ...{ kind, name: "", data: data ?? "" },
    ...(kind === "Secret" && { type: type ?? "" }),
    ...(binaryData && { binaryData }),
  };
  const hex = createHash("sha256").update(goJson(hashed)).digest("hex");
  return [...hex.slice(0, 10)].map((one) => letters[one] ?? one).join("");
}

function pairOf(text: string, what: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new Error(`${what} ${JSON.stringify(text)} has no =`);
  return [text.slice(0, at), text.slice(at + 1).replace(/^(["'])(.*)\1$/s, "$2")];
}

const basename = (path: string) => path.slice(path.lastIndexOf("/") + 1);

function valuesOf(generator: Generator, read: (path: string) => Uint8Array) {
  const values = new Map<string, Uint8Array>();
  const add = (key: string, value: Uint8Array) => {
    if (values.has(key)) throw new Error(`${generator.name} has the key ${key} twice`);
    values.set(key, value);
  };
  for (const env of generator.envs ?? []) {
    for (const line of Buffer.from(read(env)).toString().split(/\r?\n/)) {
      if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
      const at = line.indexOf("=");
      if (at <= 0) throw new Error(`${env}: ${JSON.stringify(line)} has no =`);
      add(line.slice(0, at), Buffer.from(line.slice(at + 1)));
    }
  }
  for (const file of generator.files ?? []) {
    const [key, path] = file.includes("=") ? pairOf(file, "file") : [basename(file), file];
    add(key, read(path));
  }
  for (const literal of generator.literals ?? []) {
    const [key, value] = pairOf(literal, "literal");
    add(key, Buffer.from(value));
  }
  return new Map([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const isText = (bytes: Uint8Array) => {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
};

/** `read` gives a file of the kustomization's folder. The hash comes later: names may change before it. */
export function generate(
  kind: "ConfigMap" | "Secret",
  generator: Generator,
  read: (path: string) => Uint8Array,
): BuildObject {
  const { name, namespace, options = {}, type = "Opaque" } = generator;
  const data: Record<string, string> = {};
  const binaryData: Record<string, string> = {};
  for (const [key, bytes] of valuesOf(generator, read)) {
    const base64 = Buffer.from(bytes).toString("base64");
    if (kind === "Secret") data[key] = base64;
    else if (isText(bytes)) data[key] = Buffer.from(bytes).toString();
    else binaryData[key] = base64;
  }
  const { labels, annotations, immutable } = options;
  return {
    ...{ apiVersion: "v1", kind },
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    },
    ...(Object.keys(data).length > 0 && { data }),
    ...(Object.keys(binaryData).length > 0 && { binaryData }),
    ...(kind === "Secret" && { type }),
    ...(immutable && { immutable }),
  };
}
