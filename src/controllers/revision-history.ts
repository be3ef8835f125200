// ControllerRevisions: the remembered templates of StatefulSets and DaemonSets, which rollouts move
// between and `kubectl rollout undo` goes back to. A revision's data is a patch that restores the
// template.
import type { Draft, KubeObject } from "../kinds/object.ts";
import { resource } from "../client/client.ts";
import { isObject, jsonEqual } from "../lib/json.ts";
import { controllerReference } from "./pod-template.ts";

export const controllerRevisions = resource("apps/v1", "controllerrevisions");

const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** JSON whose keys are sorted, so that equal values give equal text. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "null";
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  return `{${keys.sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)}}`;
}

/** A short name for a value: FNV-1a, written in the alphabet of generated names. */
export function shortHash(value: unknown, collisions = 0): string {
  const text = canonical(value) + (collisions > 0 ? String(collisions) : "");
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return [...String(hash)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join("");
}

/** Kubernetes always writes the resources of a container, and it compares revisions byte by byte. */
const written = (containers: any[] | undefined) =>
  containers?.map((container) => ({ resources: {}, ...container }));

export function templatePatch(template: Record<string, any>) {
  const { spec, ...rest } = template;
  const { containers, initContainers } = spec ?? {};
  const complete = {
    ...spec,
    ...(containers && { containers: written(containers) }),
    ...(initContainers && { initContainers: written(initContainers) }),
  };
  const patch = { spec: { template: { ...rest, spec: complete, $patch: "replace" } } };
  return JSON.parse(canonical(patch));
}

export const templateOf = (revision: KubeObject): Record<string, any> => {
  const { $patch: _, ...template } = revision["data"].spec.template;
  return template;
};

const byRevision = (a: KubeObject, b: KubeObject) => a["revision"] - b["revision"];

export interface RevisionPlan {
  /** Oldest first, as they will be. */
  history: (KubeObject | Draft)[];
  /** The one that stands for the present template. */
  update: KubeObject | Draft;
  /** To be created, or to be numbered anew because its template came back. */
  create?: Draft;
  renumber?: { revision: KubeObject; to: number };
}

export interface RevisionOptions {
  /** The label that carries the hash. */
  hashLabel: string;
  collisions?: number;
}

/** Finds or makes the revision of the owner's present template among `known`. */
export function planRevision(
  owner: KubeObject,
  known: readonly KubeObject[],
  { hashLabel, collisions = 0 }: RevisionOptions,
): RevisionPlan {
  const history = [...known].sort(byRevision);
  const data = templatePatch(owner.spec.template);
  const last = history.at(-1);
  const next = (last?.["revision"] ?? 0) + 1;
  const equal = history.findLast((revision) => jsonEqual(revision["data"], data));
  if (equal && equal === last) return { history, update: equal };
  if (equal) return { history, update: equal, renumber: { revision: equal, to: next } };
  const hash = shortHash(data, collisions);
  const create: Draft = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      namespace: owner.metadata.namespace!,
      labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
      annotations: { ...owner.metadata.annotations },
      ownerReferences: [controllerReference(owner)],
    },
    data,
    revision: next,
  };
  return { history: [...history, create], update: create, create };
}

/** The oldest revisions beyond `limit` that are neither live nor used by a pod. */
export function surplus(
  history: readonly KubeObject[],
  live: ReadonlySet<string>,
  limit: number,
): KubeObject[] {
  const unused = history.filter(({ metadata }) => !live.has(metadata.name)).sort(byRevision);
  return unused.slice(0, Math.max(unused.length - limit, 0));
}
