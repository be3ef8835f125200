// What a client that remembers (offline.ts) keeps in which file, and which of the files nobody needs any more: Secrets,
// ConfigMaps, tokens and claims of pods that are gone, so that a machine which is stolen holds no more than what runs
// there, and years of pods leave nothing behind.
import { createHash } from "node:crypto";
import type { KubeObject } from "../kinds/object.ts";
import { podReferences } from "../kinds/pod-references.ts";
import { resource } from "./client.ts";
import type { Target, WatchOptions } from "./client.ts";

export const hashOf = (parts: unknown) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);

const targetParts = ({ group, version, resource: plural, namespace, name }: Target) =>
  [group, version, plural, namespace, name] as const;

export type Selection = Pick<WatchOptions, "labelSelector" | "fieldSelector">;

/** Of these a node has what its pods name, and for as long. */
const named = new Set(["secrets", "configmaps"]);

export function watchFile(target: Target, { labelSelector, fieldSelector }: Selection) {
  const what = named.has(target.resource) ? target.resource : "watch";
  return `${what}-${hashOf([...targetParts(target), labelSelector, fieldSelector])}`;
}

export const objectFile = (target: Target) => `object-${hashOf(targetParts(target))}`;

/** Names the pod that the token is for. */
export function tokenFile(target: Target, request: object) {
  const { spec } = request as { spec?: any };
  const owner = spec?.boundObjectRef?.uid ?? "nobody";
  return `token-${owner}-${hashOf([...targetParts(target), request])}`;
}

/** As a node watches one object that its pods name (node/pods/referenced-objects.ts). */
function* filesOf(pod: KubeObject): Generator<string> {
  const { namespace = "" } = pod.metadata;
  for (const reference of podReferences(pod)) {
    const [plural, name] = reference.split("/") as [string, string];
    const fieldSelector = `metadata.name=${name}`;
    yield watchFile({ ...resource("v1", plural), namespace }, { fieldSelector });
  }
}

/** Of files of single objects, those of pods' claims, and of the volumes and drivers that these lead to. */
function objectsOf(names: string[], { read, pods }: Pick<Needed, "read" | "pods">): Set<string> {
  const claims = new Set(
    pods.flatMap((pod) => [...podReferences(pod)].map((one) => `${pod.metadata.namespace}/${one}`)),
  );
  const objects = names.flatMap((name) => {
    const object = name.startsWith("object-") ? read(name) : undefined;
    return object ? [{ name, object }] : [];
  });
  const isClaim = (plural: string, namespace?: string, name?: string) =>
    claims.has(`${namespace}/${plural}/${name}`);
  const volumes = new Map<string, any>(
    objects
      .map(({ object }) => object)
      .filter(({ kind }) => kind === "PersistentVolume")
      .filter(({ spec: { claimRef } }) =>
        isClaim("persistentvolumeclaims", claimRef?.namespace, claimRef?.name),
      )
      .map(({ metadata, spec }) => [metadata.name, spec]),
  );
  const ofPods = pods.flatMap(({ spec }) => spec.volumes ?? []);
  const drivers = new Set([...ofPods, ...volumes.values()].map(({ csi }) => csi?.driver));
  const isNeeded = ({ kind, metadata: { namespace, name }, spec }: KubeObject) =>
    (kind === "PersistentVolumeClaim" && isClaim("persistentvolumeclaims", namespace, name)) ||
    (kind === "ResourceClaim" && isClaim("resourceclaims", namespace, name)) ||
    (kind === "PersistentVolume" && volumes.has(name)) ||
    (kind === "VolumeAttachment" && volumes.has(spec.source?.persistentVolumeName)) ||
    (kind === "CSIDriver" && drivers.has(name));
  return new Set(objects.filter(({ object }) => isNeeded(object)).map(({ name }) => name));
}

export interface Needed {
  /** Files of what is watched now. */
  held: ReadonlySet<string>;
  /** All that are to run here. */
  pods: KubeObject[];
  /** What a file of a single object holds, if it is whole. */
  read: (name: string) => KubeObject | undefined;
}

const tokenOwner = /^token-(.+)-[0-9a-f]{32}$/;

/** Which files to remove. Pure. */
export function forgotten(names: string[], { held, pods, read }: Needed): string[] {
  const kept = new Set([...held, ...pods.flatMap((pod) => [...filesOf(pod)])]);
  const objects = objectsOf(names, { read, pods });
  const uids = new Set(pods.map(({ metadata }) => metadata.uid));
  return names.filter((name) => {
    // Half written when the power went; they hold what whole ones do.
    if (name.endsWith(".new")) return true;
    const [what] = name.split("-", 1) as [string];
    if (named.has(what)) return !kept.has(name);
    if (what === "object") return !objects.has(name);
    return what === "token" && !uids.has(tokenOwner.exec(name)?.[1] ?? "");
  });
}
