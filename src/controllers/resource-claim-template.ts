// A pod that asks for devices by a ResourceClaimTemplate gets a claim of its own, made of the template. Its
// status says which claim is whose (upstream's resourceclaim controller, the pods' half).
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { controllerReference } from "./pod-template.ts";
import { hasFinished } from "./pod-state.ts";
import { isReservedFor, resourceClaims } from "./resource-claim.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const pods = resource("v1", "pods");
const templates = resource("resource.k8s.io/v1", "resourceclaimtemplates");

/** On a generated claim: the name of the entry in `spec.resourceClaims` that it is for. */
const podClaimAnnotation = "resource.kubernetes.io/pod-claim-name";
const reservedMax = 256;

interface ClaimStatus {
  name: string;
  /** Absent when none is needed. */
  resourceClaimName?: string;
}

const draftOf = (pod: KubeObject, entry: string, template: KubeObject) => {
  const { metadata: wanted = {}, spec } = template.spec;
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: {
      generateName: `${pod.metadata.name}-${entry}-`,
      ...(wanted.labels && { labels: wanted.labels }),
      annotations: { ...wanted.annotations, [podClaimAnnotation]: entry },
      ownerReferences: [controllerReference({ ...pod, apiVersion: "v1", kind: "Pod" })],
    },
    spec: structuredClone(spec),
  };
};

/** The name of the claim made for `entry`, which is made now unless it is there. */
async function claimFor(
  pod: KubeObject,
  { name: entry, resourceClaimTemplateName }: { name: string; resourceClaimTemplateName: string },
  { client, informer }: ControllerContext,
): Promise<string> {
  const { namespace, uid } = pod.metadata;
  const known = informer(resourceClaims)
    .list(namespace)
    .find(
      (claim) =>
        controllerOf(claim)?.uid === uid &&
        claim.metadata.annotations?.[podClaimAnnotation] === entry,
    );
  if (known) return known.metadata.name;
  const template = informer(templates).get(resourceClaimTemplateName, namespace);
  if (!template) {
    throw new Error(`resource claim template "${resourceClaimTemplateName}" not found`);
  }
  const made = await client.create({ ...resourceClaims, namespace }, draftOf(pod, entry, template));
  return made.metadata.name;
}

/** A pod that was bound without the scheduler reserves what is allocated already. */
async function reserve(pod: KubeObject, statuses: ClaimStatus[], context: ControllerContext) {
  const { namespace, name, uid } = pod.metadata;
  if (!pod.spec.nodeName) return;
  for (const entry of pod.spec.resourceClaims) {
    const status = statuses.find((one) => one.name === entry.name);
    const claimName = entry.resourceClaimName ?? status?.resourceClaimName;
    const claim = claimName && context.informer(resourceClaims).get(claimName, namespace);
    if (!claim || !claim.status?.allocation || isReservedFor(claim, pod)) continue;
    const reservedFor = claim.status.reservedFor ?? [];
    if (claim.metadata.deletionTimestamp || reservedFor.length >= reservedMax) continue;
    const { resourceVersion } = claim.metadata;
    await context.client.patch(
      { ...resourceClaims, namespace, name: claimName, subresource: "status" },
      "merge",
      {
        metadata: { resourceVersion },
        status: { reservedFor: [...reservedFor, { resource: "pods", name, uid }] },
      },
    );
  }
}

async function reconcile(key: string, context: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  const pod = context.informer(pods).get(name, namespace);
  if (!pod?.spec.resourceClaims || pod.metadata.deletionTimestamp || hasFinished(pod)) return;
  const known: ClaimStatus[] = pod.status?.resourceClaimStatuses ?? [];
  const statuses = [...known];
  for (const entry of pod.spec.resourceClaims) {
    const isKnown = known.some((one) => one.name === entry.name);
    if (isKnown || !entry.resourceClaimTemplateName) continue;
    statuses.push({
      name: entry.name,
      resourceClaimName: await claimFor(pod, entry, context),
    });
  }
  if (statuses.length > known.length) {
    await context.client.patch({ ...pods, namespace, name, subresource: "status" }, "strategic", {
      metadata: { uid: pod.metadata.uid },
      status: { resourceClaimStatuses: statuses },
    });
  }
  await reserve(pod, statuses, context);
}

const podsOf =
  (wants: (entry: any) => string | undefined): NonNullable<Controller["inputs"][0]["keys"]> =>
  ({ metadata: { name, namespace } }, { informer }) =>
    informer(pods)
      .list(namespace)
      .filter(({ spec }) => spec.resourceClaims?.some((entry: any) => wants(entry) === name))
      .map((pod) => `${namespace}/${pod.metadata.name}`);

export const resourceClaimTemplate: Controller = {
  name: "resource-claim-template",
  inputs: [
    {
      resource: pods,
      keys: ({ metadata, spec }) =>
        spec.resourceClaims ? [`${metadata.namespace}/${metadata.name}`] : [],
    },
    { resource: templates, keys: podsOf((entry) => entry.resourceClaimTemplateName) },
    { resource: resourceClaims, keys: podsOf((entry) => entry.resourceClaimName) },
  ],
  outputs: [resourceClaims, pods],
  async reconcile(key, context) {
    try {
      await reconcile(key, context);
    } catch (error) {
      if (isStatus(error, "NotFound", "Conflict")) return;
      const [namespace, name] = key.split("/") as [string, string];
      const pod = context.informer(pods).get(name, namespace);
      const message = `PodResourceClaim: ${error instanceof Error ? error.message : String(error)}`;
      if (pod) context.event(pod, "Warning", "FailedResourceClaimCreation", message);
      throw error;
    }
  },
};
