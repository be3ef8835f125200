// Makes one object of the site what a work wants. Writes only what differs, so a look costs nothing.
import { apply } from "../../client/apply.ts";
import type { Client, Target } from "../../client/client.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { isStatus } from "../../lib/status-error.ts";
import { contentAnnotation, contentHash, withSiteFields } from "./ignore-fields.ts";
import type { IgnoreRule } from "./ignore-fields.ts";
import type { Manifest, UpdateStrategy } from "./manifest.ts";

export interface Owner {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  /** Uids of owners in whose place it comes. */
  instead?: string[];
}

const update: UpdateStrategy = { type: "Update" };
const managerOf = ({ serverSideApply }: UpdateStrategy) =>
  serverSideApply?.fieldManager || "work-agent";

export const targetOf = ({
  group,
  version,
  resource,
  namespace,
  name,
}: Omit<Manifest, "object" | "ordinal" | "kind" | "namespaced">): Target & { name: string } => ({
  ...{ group, version, resource, name },
  ...(namespace && { namespace }),
});

/** The object at the site; undefined when there is none. */
export async function liveOf(site: Client, target: Target): Promise<KubeObject | undefined> {
  try {
    return await site.get(target);
  } catch (error) {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  }
}

/** With the owners it has and ours. */
function ownedBy(object: any, live: KubeObject | undefined, owner: Owner | undefined): Draft {
  const { status: _, ...wanted } = object;
  const { metadata } = wanted;
  const { instead = [], ...reference } = owner ?? {};
  const references = (live?.metadata.ownerReferences ?? []).filter(
    ({ uid }) => uid !== owner?.uid && !instead.includes(uid),
  );
  const ownerReferences = owner ? [...references, reference] : references;
  return {
    ...wanted,
    metadata: { ...metadata, ...(ownerReferences.length > 0 && { ownerReferences }) },
  };
}

interface Applying {
  wanted: Draft;
  strategy: UpdateStrategy;
  live: KubeObject | undefined;
}

/** The object, with what the site decides as it is there. */
function leavingToSite(object: KubeObject, { wanted, strategy, live }: Applying): Draft {
  const rules: IgnoreRule[] = strategy.serverSideApply?.ignoreFields ?? [];
  if (rules.length === 0) return wanted;
  const hash = contentHash(object);
  const changed = live?.metadata.annotations?.[contentAnnotation] !== hash;
  const { metadata, ...rest } = withSiteFields(wanted, live, { rules, changed });
  const annotations = { ...metadata?.annotations, [contentAnnotation]: hash };
  return { ...rest, metadata: { ...metadata, annotations } } as Draft;
}

async function applyOnServer(site: Client, manifest: Manifest, applying: Applying) {
  const { strategy } = applying;
  const { force = false } = strategy.serverSideApply ?? {};
  const object = leavingToSite(manifest.object, applying);
  const { name, ...place } = targetOf(manifest);
  const metadata = {
    ...object.metadata,
    name,
    ...(manifest.namespace && { namespace: manifest.namespace }),
  };
  return apply(site, place, { ...object, metadata }, { fieldManager: managerOf(strategy), force });
}

/** Resolves with the object as it then is. Throws StatusErrors of the site, and Errors for rules that cannot be kept. */
export async function applyManifest(
  site: Client,
  manifest: Manifest,
  owner: Owner | undefined,
  strategy: UpdateStrategy = update,
): Promise<KubeObject | undefined> {
  const target = targetOf(manifest);
  const live = await liveOf(site, target);
  if (strategy.type === "ReadOnly") return live;
  const wanted = ownedBy(manifest.object, live, owner);
  if (strategy.type === "ServerSideApply") {
    return applyOnServer(site, manifest, { wanted, strategy, live });
  }
  if (!live) {
    const { name: _, ...place } = target;
    return site.create(place, wanted);
  }
  if (strategy.type === "CreateOnly" || !differs(wanted, live)) return live;
  return site.patch(target, "merge", wanted);
}
