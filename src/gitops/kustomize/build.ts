// Builds the objects of a folder, as kustomize does, for the part of kustomize that is here. What is not is refused
// by name. A folder without a kustomization is all of its YAML files. Pure.
import { parse, parseAllDocuments } from "yaml";
import { mustKnow } from "../fields.ts";
import type { Fields } from "../fields.ts";
import { resolve } from "../files.ts";
import type { Files } from "../files.ts";
import { contentHash, generate } from "./generators.ts";
import type { Generator, GeneratorOptions } from "./generators.ts";
import { changeImages } from "./images.ts";
import type { ImageChange } from "./images.ts";
import { addAnnotations, addLabels } from "./labels.ts";
import type { LabelRule } from "./labels.ts";
import { followRenames, noteRename } from "./names.ts";
import type { Renames } from "./names.ts";
import { checked, isNamespaced, keyOf } from "./object.ts";
import type { BuildObject } from "./object.ts";
import { applyPatch } from "./patches.ts";
import type { Patch, PatchTarget, StrategicMerge } from "./patches.ts";

const fileNames = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
const depthMax = 16;
export const objectsMax = 5000;

const target: Fields = {
  ...{ group: true, version: true, kind: true, name: true, namespace: true },
  ...{ labelSelector: true, annotationSelector: true },
};
const options: Fields = {
  ...{ disableNameSuffixHash: true, labels: true, annotations: true, immutable: true },
};
const generator: Fields = {
  ...{ name: true, namespace: true, literals: true, files: true, envs: true, options },
};
const known: Fields = {
  ...{ apiVersion: true, kind: true, metadata: true, resources: true, namespace: true },
  ...{ namePrefix: true, nameSuffix: true, commonLabels: true, commonAnnotations: true },
  labels: { pairs: true, includeSelectors: true, includeTemplates: true },
  images: { name: true, newName: true, newTag: true, digest: true },
  patches: { path: true, patch: true, target },
  configMapGenerator: generator,
  secretGenerator: { ...generator, type: true },
  generatorOptions: options,
};

interface Kustomization {
  resources?: string[];
  namespace?: string;
  namePrefix?: string;
  nameSuffix?: string;
  commonLabels?: Record<string, string>;
  commonAnnotations?: Record<string, string>;
  labels?: LabelRule[];
  images?: ImageChange[];
  patches?: { path?: string; patch?: string; target?: PatchTarget }[];
  configMapGenerator?: Generator[];
  secretGenerator?: Generator[];
  generatorOptions?: GeneratorOptions;
}

export interface BuildOptions {
  files: Files;
  strategic: StrategicMerge;
}

/** Made by a generator: its name gets its hash when nothing changes it any more. */
const generated = Symbol("generated");

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const isYaml = (name: string) => /\.ya?ml$/.test(name);

function manifestsOf(bytes: Uint8Array, where: string): BuildObject[] {
  return parseAllDocuments(text(bytes), { logLevel: "silent" }).flatMap((document) => {
    const [error] = document.errors ?? [];
    if (error) throw new Error(`${where}: ${error.message.split("\n")[0]}`);
    const value = document.toJS({ maxAliasCount: 100 });
    if (value === null || value === undefined) return [];
    if (value.kind?.endsWith?.("List") && Array.isArray(value.items)) {
      return value.items.map((one: unknown) => checked(one, where));
    }
    return [checked(value, where)];
  });
}

class Build {
  readonly #files: Files;
  readonly #strategic: StrategicMerge;

  constructor({ files, strategic }: BuildOptions) {
    this.#files = files;
    this.#strategic = strategic;
  }

  #read(from: string, path: string): Uint8Array {
    const at = resolve(from, path);
    const bytes = at === undefined ? undefined : this.#files.get(at);
    if (!bytes) throw new Error(`${from || "."}: there is no file ${path}`);
    return bytes;
  }

  #isFolder = (at: string) =>
    [...this.#files.keys()].some((name) => !at || name.startsWith(`${at}/`));

  /** `through` are the folders that led here. */
  folder(at: string, through: string[] = []): BuildObject[] {
    if (through.includes(at)) throw new Error(`${at} includes itself: ${through.join(" > ")}`);
    if (through.length >= depthMax) throw new Error(`${at}: more than ${depthMax} folders deep`);
    const name = fileNames.find((one) => this.#files.has(at ? `${at}/${one}` : one));
    if (name) return this.#kustomization(at, name, [...through, at]);
    if (through.length > 0) throw new Error(`${at} has no kustomization.yaml`);
    const inside = [...this.#files].filter(([path]) => !at || path.startsWith(`${at}/`));
    if (inside.length === 0) throw new Error(`there is no folder ${at || "."}`);
    return inside
      .filter(([path]) => isYaml(path))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([path, bytes]) => manifestsOf(bytes, path));
  }

  #resource(at: string, resource: string, through: string[]): BuildObject[] {
    if (/^[a-z+]+:\/\/|^git@|\?ref=/.test(resource)) {
      throw new Error(`${at || "."}: not supported here: resources from elsewhere (${resource})`);
    }
    const path = resolve(at, resource);
    if (path === undefined) throw new Error(`${at || "."}: ${resource} leads outside`);
    const bytes = this.#files.get(path);
    if (bytes) return manifestsOf(bytes, path);
    if (this.#isFolder(path)) return this.folder(path, through);
    throw new Error(`${at || "."}: there is no ${resource}`);
  }

  #kustomization(at: string, name: string, through: string[]): BuildObject[] {
    const where = at ? `${at}/${name}` : name;
    const spec: Kustomization = parse(text(this.#files.get(where)!)) ?? {};
    mustKnow(spec, known, where);
    let objects = (spec.resources ?? []).flatMap((one) => this.#resource(at, one, through));
    objects.push(...this.#generated(at, spec));
    const keys = new Set<string>();
    for (const key of objects.map(keyOf)) {
      if (keys.has(key)) throw new Error(`${where}: ${key} is there twice`);
      keys.add(key);
    }
    for (const { path, patch, target: chosen } of spec.patches ?? []) {
      const content = patch ?? (path === undefined ? undefined : text(this.#read(at, path)));
      if (content === undefined) throw new Error(`${where}: a patch has neither patch nor path`);
      const one: Patch = { patch: content, ...(chosen && { target: chosen }) };
      objects = applyPatch(objects, one, this.#strategic);
    }
    transform(objects, spec);
    return objects;
  }

  #generated(at: string, spec: Kustomization): BuildObject[] {
    const read = (path: string) => this.#read(at, path);
    const all = spec.generatorOptions ?? {};
    const make = (kind: "ConfigMap" | "Secret") => (one: Generator) => {
      const merged: GeneratorOptions = {
        ...all,
        ...one.options,
        labels: { ...all.labels, ...one.options?.labels },
        annotations: { ...all.annotations, ...one.options?.annotations },
      };
      for (const field of ["labels", "annotations"] as const) {
        if (Object.keys(merged[field]!).length === 0) delete merged[field];
      }
      const object = generate(kind, { ...one, options: merged }, read);
      if (!merged.disableNameSuffixHash) (object as any)[generated] = object.metadata.name;
      return object;
    };
    return [
      ...(spec.configMapGenerator ?? []).map(make("ConfigMap")),
      ...(spec.secretGenerator ?? []).map(make("Secret")),
    ];
  }
}

/** In place: what a kustomization says of all of its objects. */
function transform(objects: BuildObject[], spec: Kustomization) {
  const { namespace, namePrefix = "", nameSuffix = "", images = [] } = spec;
  const labels = [...(spec.labels ?? [])];
  if (spec.commonLabels) labels.push({ pairs: spec.commonLabels, includeSelectors: true });
  const renames: Renames = new Map();
  for (const object of objects) {
    for (const rule of labels) addLabels(object, rule);
    if (spec.commonAnnotations) addAnnotations(object, spec.commonAnnotations);
    changeImages(object, images);
    const { kind, metadata } = object;
    const isPlace = kind === "Namespace" || kind === "CustomResourceDefinition";
    if ((namePrefix || nameSuffix) && !isPlace && kind !== "APIService") {
      const before = metadata.name;
      metadata.name = namePrefix + before + nameSuffix;
      noteRename(renames, kind, before, metadata.name);
    }
  }
  for (const object of objects) followRenames(object, renames);
  if (namespace) for (const object of objects) inNamespace(object, namespace, objects);
}

function inNamespace(object: BuildObject, namespace: string, all: BuildObject[]) {
  if (object.kind === "Namespace") object.metadata.name = namespace;
  else if (isNamespaced(object)) object.metadata.namespace = namespace;
  if (object.kind !== "RoleBinding" && object.kind !== "ClusterRoleBinding") return;
  for (const subject of object["subjects"] ?? []) {
    const isOwn = all.some(
      (one) => one.kind === "ServiceAccount" && one.metadata.name === subject.name,
    );
    if (subject.kind === "ServiceAccount" && (isOwn || subject.name === "default")) {
      subject.namespace = namespace;
    }
  }
}

/** In place: names of what was generated end with the hash of what it is. */
function hashNames(objects: BuildObject[]) {
  const renames: Renames = new Map();
  for (const object of objects) {
    if ((object as any)[generated] === undefined) continue;
    const before = object.metadata.name;
    object.metadata.name = `${before}-${contentHash(object)}`;
    noteRename(renames, object.kind, before, object.metadata.name);
  }
  for (const object of objects) followRenames(object, renames);
}

/** The objects of `path`. Throws an Error that says what is wrong, and where. */
export function build(path: string, buildOptions: BuildOptions): BuildObject[] {
  const at = resolve("", path.replace(/^\/+/, ""));
  if (at === undefined) throw new Error(`path ${path} leads outside`);
  const objects = new Build(buildOptions).folder(at);
  if (objects.length > objectsMax)
    throw new Error(`${objects.length} objects: at most ${objectsMax}`);
  hashNames(objects);
  return objects;
}
