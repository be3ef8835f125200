// Claims for devices are let go of: who used one and is done is no longer named in it, one that nobody uses
// gives its devices back, and one that was made for a pod goes with it (upstream's resourceclaim controller,
// the claims' half).
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { hasFinished } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

export const resourceClaims = resource("resource.k8s.io/v1", "resourceclaims");
const pods = resource("v1", "pods");

/** Set by whoever allocates: an allocated claim does not go. */
export const claimFinalizer = "resource.kubernetes.io/delete-protection";

interface Consumer {
  apiGroup?: string;
  resource: string;
  name: string;
  uid: string;
}

export const isReservedFor = ({ status }: KubeObject, { metadata }: KubeObject): boolean =>
  (status?.reservedFor ?? []).some(({ uid }: Consumer) => uid === metadata.uid);

/** It has ended, or will never begin. */
const isDone = (pod: KubeObject) =>
  hasFinished(pod) || (pod.metadata.deletionTimestamp !== undefined && !pod.spec.nodeName);

/** The pod with this uid, asked for live when the cache has none. */
async function livePod(
  namespace: string,
  { name, uid }: { name: string; uid: string },
  { client, informer }: ControllerContext,
): Promise<KubeObject | undefined> {
  const cached = informer(pods).get(name, namespace);
  if (cached?.metadata.uid === uid) return cached;
  try {
    const live = await client.get({ ...pods, namespace, name });
    return live.metadata.uid === uid ? live : undefined;
  } catch (error) {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  }
}

async function stillUsing(claim: KubeObject, context: ControllerContext): Promise<Consumer[]> {
  const using: Consumer[] = [];
  for (const consumer of (claim.status?.reservedFor ?? []) as Consumer[]) {
    const isPod = !consumer.apiGroup && consumer.resource === "pods";
    const pod = isPod && (await livePod(claim.metadata.namespace!, consumer, context));
    // Whoever uses a claim for something else than a pod lets go of it itself.
    if (!isPod || (pod && !isDone(pod))) using.push(consumer);
  }
  return using;
}

async function release(claim: KubeObject, using: Consumer[], { client }: ControllerContext) {
  const { namespace, name, resourceVersion } = claim.metadata;
  const isFree = using.length === 0;
  const target = { ...resourceClaims, namespace, name };
  return client.patch({ ...target, subresource: "status" }, "merge", {
    metadata: { resourceVersion },
    status: {
      reservedFor: isFree ? null : using,
      ...(isFree && { allocation: null, devices: null }),
    },
  });
}

async function unprotect(claim: KubeObject, { client }: ControllerContext) {
  const { namespace, name, resourceVersion, finalizers = [] } = claim.metadata;
  if (!finalizers.includes(claimFinalizer)) return;
  const left = finalizers.filter((one) => one !== claimFinalizer);
  await client.patch({ ...resourceClaims, namespace, name }, "merge", {
    metadata: { resourceVersion, finalizers: left },
  });
}

async function reconcile(key: string, context: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  let claim = context.informer(resourceClaims).get(name, namespace);
  if (!claim) return;
  const reserved: Consumer[] = claim.status?.reservedFor ?? [];
  const using = await stillUsing(claim, context);
  const isFreed = reserved.length > 0 && using.length === 0;
  const isGoing = using.length === 0 && claim.metadata.deletionTimestamp !== undefined;
  if (using.length < reserved.length || (isGoing && claim.status?.allocation)) {
    claim = await release(claim, using, context);
  }
  if (isFreed || isGoing) await unprotect(claim, context);
  if (using.length > 0 || claim.metadata.deletionTimestamp) return;
  const owner = controllerOf(claim);
  if (owner?.kind !== "Pod" || owner.apiVersion !== "v1") return;
  const pod = await livePod(namespace, owner, context);
  if (pod && !isDone(pod)) return;
  const { uid } = claim.metadata;
  await context.client.delete({ ...resourceClaims, namespace, name }, { preconditions: { uid } });
}

/** The claims that name the pod, and those that its status names. */
const claimsOfPod: NonNullable<Controller["inputs"][0]["keys"]> = (pod) => {
  const { namespace } = pod.metadata;
  const named = (pod.spec.resourceClaims ?? []).map((entry: any) => entry.resourceClaimName);
  const made = (pod.status?.resourceClaimStatuses ?? []).map((one: any) => one.resourceClaimName);
  return [...named, ...made].filter(Boolean).map((name) => `${namespace}/${name}`);
};

export const resourceClaim: Controller = {
  name: "resource-claim",
  inputs: [{ resource: resourceClaims }, { resource: pods, keys: claimsOfPod }],
  outputs: [resourceClaims],
  reconcile: (key, context) =>
    reconcile(key, context).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    }),
};
