// Devices are written into their claims once the node is chosen, and the pod is named as their consumer.
import { resource, type Client } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { StatusError } from "../lib/status-error.ts";
import type { Allocation } from "./devices/allocation.ts";
import type { Devices } from "./devices/devices.ts";
import { wantedClaims } from "./filters/devices.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";

export const resourceClaims = resource("resource.k8s.io/v1", "resourceclaims");
export const deviceClasses = resource("resource.k8s.io/v1", "deviceclasses");
export const resourceSlices = resource("resource.k8s.io/v1", "resourceslices");

/** Keeps an allocated claim until its devices are nobody's. */
export const claimFinalizer = "resource.kubernetes.io/delete-protection";

/** What a pod's claims get, before any of it is written. */
export interface Grant {
  claims: KubeObject[];
  allocations: Map<string, Allocation>;
}

/** Chooses again for the node that was chosen and assumes it; undefined for a pod that claims nothing. */
export function grantDevices(pod: PodInfo, node: NodeInfo, devices: Devices): Grant | undefined {
  const claims = wantedClaims(pod).map(({ claimName }) =>
    devices.claim(pod.namespace, claimName!)!,
  );
  if (claims.length === 0) return undefined;
  const unplaced = claims.filter((claim) => !devices.allocationOf(claim));
  const allocations = unplaced.length > 0 ? devices.allocate(unplaced, node) : new Map();
  devices.assume(allocations);
  return { claims, allocations };
}

function reserved(claim: KubeObject, { pod }: PodInfo) {
  const reservedFor: any[] = claim["status"]?.reservedFor ?? [];
  const { name, uid } = pod.metadata;
  if (reservedFor.some((one) => one.uid === uid)) return reservedFor;
  return [...reservedFor, { resource: "pods", name, uid }];
}

/** Throws Conflict when a claim was changed meanwhile: then all is chosen anew. */
export async function bindDevices(client: Client, pod: PodInfo, { claims, allocations }: Grant) {
  for (const claim of claims) {
    const { namespace, name, finalizers = [], uid } = claim.metadata;
    const target = { ...resourceClaims, namespace, name };
    const allocation = allocations.get(uid);
    let current = claim;
    if (allocation && !finalizers.includes(claimFinalizer)) {
      const { resourceVersion } = claim.metadata;
      const metadata = { resourceVersion, finalizers: [...finalizers, claimFinalizer] };
      current = await client.patch(target, "merge", { metadata } as never);
    }
    if (!allocation && !current["status"]?.allocation) {
      current = await client.get(target);
      if (!current["status"]?.allocation) {
        throw new StatusError("Conflict", `resourceclaim "${name}" lost its devices`);
      }
    }
    const { resourceVersion } = current.metadata;
    const status = { ...(allocation && { allocation }), reservedFor: reserved(current, pod) };
    const patch = { metadata: { resourceVersion }, status };
    await client.patch({ ...target, subresource: "status" }, "merge", patch as never);
  }
}
