// The register of what is served. Built-in kinds come from data; CustomResourceDefinitions add and remove
// theirs while the server runs. Listeners (discovery, OpenAPI) are told after each change.
import { behaviours } from "./behaviours.ts";
import { columns } from "./columns.ts";
import definitions from "./data/definitions.json" with { type: "json" };
import kindNames from "./data/kinds.json" with { type: "json" };
import resources from "./data/resources.json" with { type: "json" };
import { kindDefaults } from "./defaults.ts";
import type { Kind, Verb } from "./kind.ts";
import { namings } from "./names.ts";
import type { Schema } from "./schema.ts";
import { validationOf } from "./validations.ts";

/** A group with its served versions, preferred first. */
export interface KindGroup {
  group: string;
  versions: string[];
}

/** Newest stable version first, then beta, then alpha (version.CompareKubeAwareVersionStrings). */
export function compareVersions(a: string, b: string): number {
  const parts = (version: string) => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (!match) return undefined;
    const stage = match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0;
    return [stage, Number(match[1]), Number(match[3] ?? 0)];
  };
  const [left, right] = [parts(a), parts(b)];
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : 1;
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return right[i]! - left[i]!;
  return 0;
}

export class Kinds {
  readonly #byResource = new Map<string, Kind>();
  readonly #byKind = new Map<string, Kind>();
  readonly #listeners = new Set<() => void>();
  readonly #definitions: Record<string, Schema>;
  readonly #kindNames: Record<string, string>;

  /** `kindNames` leads from a definition's name to its `group/version/Kind`. */
  constructor(definitions: Record<string, Schema> = {}, kindNames: Record<string, string> = {}) {
    this.#definitions = definitions;
    this.#kindNames = kindNames;
  }

  get(group: string, version: string, plural: string): Kind | undefined {
    return this.#byResource.get(`${group}/${version}/${plural}`);
  }

  byKind(group: string, version: string, kind: string): Kind | undefined {
    return this.#byKind.get(`${group}/${version}/${kind}`);
  }

  /** The kind as it is stored, whichever version was asked for; throws for an unknown resource. */
  storage(group: string, plural: string): Kind {
    const versions = this.all().filter((kind) => kind.group === group && kind.plural === plural);
    const kind = versions.find((k) => k.version === k.storageVersion) ?? versions[0];
    if (!kind) throw new Error(`no resource ${plural} in group "${group}"`);
    return kind;
  }

  all(): Kind[] {
    return [...this.#byResource.values()];
  }

  groups(): KindGroup[] {
    const groups = new Map<string, Set<string>>();
    for (const { group, version } of this.#byResource.values()) {
      const versions = groups.get(group) ?? new Set();
      groups.set(group, versions.add(version));
    }
    return [...groups]
      .map(([group, versions]) => ({ group, versions: [...versions].sort(compareVersions) }))
      .sort((a, b) => (a.group < b.group ? -1 : 1));
  }

  add(kind: Kind): void {
    this.#byResource.set(`${kind.group}/${kind.version}/${kind.plural}`, kind);
    this.#byKind.set(`${kind.group}/${kind.version}/${kind.kind}`, kind);
    for (const listener of this.#listeners) listener();
  }

  remove(kind: Kind): void {
    this.#byResource.delete(`${kind.group}/${kind.version}/${kind.plural}`);
    this.#byKind.delete(`${kind.group}/${kind.version}/${kind.kind}`);
    for (const listener of this.#listeners) listener();
  }

  /** Returns its stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The schema of a named definition; throws when there is none. */
  readonly definition = (name: string): Schema => {
    const schema = this.#definitions[name];
    if (!schema) throw new Error(`no definition ${name}`);
    return schema;
  };

  definitionNames(): string[] {
    return Object.keys(this.#definitions);
  }

  /** `group/version/Kind` of a definition that is a kind. */
  kindOfDefinition(name: string): { group: string; version: string; kind: string } | undefined {
    const [group, version, kind] = this.#kindNames[name]?.split("/") ?? [];
    return kind === undefined ? undefined : { group: group!, version: version!, kind };
  }
}

/** Every stable kind of Kubernetes, as this release serves it. */
export function builtinKinds(): Kinds {
  const kinds = new Kinds(definitions as Record<string, Schema>, kindNames);
  for (const resource of Object.values(resources)) kinds.add(builtinKind(resource));
  return kinds;
}

const definitionOf = new Map(Object.entries(kindNames).map(([name, gvk]) => [gvk, name]));

function builtinKind(resource: (typeof resources)[keyof typeof resources]): Kind {
  const { group, version, kind, plural } = resource;
  const name = group ? `${plural}.${group}` : plural;
  const ref = definitionOf.get(`${group}/${version}/${kind}`);
  if (!ref) throw new Error(`no definition of ${group}/${version} ${kind}`);
  return {
    ...resource,
    verbs: resource.verbs as Verb[],
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    columns: columns[name] ?? [],
    schema: { ref },
    ...namings[name],
    validate: validationOf(name),
    ...(kindDefaults[name] && { defaults: kindDefaults[name] }),
    ...behaviours[name],
    ...(plural === "horizontalpodautoscalers" && { storageVersion: "v2" }),
  };
}
