// Dynamic resource allocation: the pod's ResourceClaims are there, and have devices that this node can use or
// can get some (KEP-4381).
import type { KubeObject } from "../../kinds/object.ts";
import { matchesTerms } from "../../lib/node-selector.ts";
import { CannotAllocate } from "../devices/allocate.ts";
import type { Allocation } from "../devices/allocation.ts";
import type { Devices } from "../devices/devices.ts";
import { unresolvable, type Filter } from "../filter.ts";
import type { PodInfo } from "../pod-info.ts";

/** Pods that may share a claim, as in the API. */
const consumersMax = 256;

interface Wanted {
  name: string;
  /** Undefined until the claim of a template is made. */
  claimName: string | undefined;
}

/** The claims that a pod names or has been given; a template that gives none is left out. */
export function wantedClaims({ pod }: PodInfo): Wanted[] {
  const made = new Map<string, string | null>(
    (pod.status?.resourceClaimStatuses ?? []).map((one: any) => [
      one.name,
      one.resourceClaimName ?? null,
    ]),
  );
  return (pod.spec?.resourceClaims ?? [])
    .filter(({ name }: any) => made.get(name) !== null)
    .map(({ name, resourceClaimName }: any) => {
      return { name, claimName: resourceClaimName ?? made.get(name) };
    });
}

/** Why a claim keeps the pod from every node. */
function failureOf(claim: KubeObject, pod: PodInfo): string | undefined {
  const { name, deletionTimestamp, ownerReferences = [] } = claim.metadata;
  if (deletionTimestamp) return `resourceclaim "${name}" is being deleted`;
  const owner = ownerReferences.find(({ controller, kind }: any) => controller && kind === "Pod");
  if (owner && owner.uid !== pod.uid) return `resourceclaim "${name}" is not for this pod`;
  const reservedFor: any[] = claim["status"]?.reservedFor ?? [];
  const isNew = !reservedFor.some(({ uid }) => uid === pod.uid);
  if (isNew && reservedFor.length >= consumersMax) return `resourceclaim "${name}" is in use`;
  return undefined;
}

const elsewhere = unresolvable("resourceclaim not available on the node");

export const devices: Filter = {
  name: "DynamicResources",
  wakes: ["device", "node"],
  prepare(pod, { devices: known }) {
    const wanted = wantedClaims(pod);
    if (wanted.length === 0 || !known) return undefined;
    const placed: Allocation[] = [];
    const unplaced: KubeObject[] = [];
    for (const { name, claimName } of wanted) {
      if (!claimName) {
        const refused = `waiting for the ResourceClaim of pod.spec.resourceClaims "${name}" to be made`;
        return { refused };
      }
      const claim = known.claim(pod.namespace, claimName);
      if (!claim) return { refused: `resourceclaim "${claimName}" not found` };
      const failure = failureOf(claim, pod);
      if (failure) return { refused: failure };
      const allocation = known.allocationOf(claim);
      if (allocation) placed.push(allocation);
      else unplaced.push(claim);
    }
    if (unplaced.length > 0 && !known.prepare()) return { refused: "expressions are being loaded" };
    return (node) => {
      for (const { nodeSelector } of placed) {
        const terms = nodeSelector?.nodeSelectorTerms;
        if (terms && !matchesTerms(terms, node)) return elsewhere;
      }
      return unplaced.length > 0 ? tryToAllocate(known, unplaced, node) : undefined;
    };
  },
};

function tryToAllocate(known: Devices, claims: KubeObject[], node: { name: string; labels: any }) {
  try {
    known.allocate(claims, node);
    return undefined;
  } catch (error) {
    const why = error instanceof CannotAllocate ? error.message : `a selector failed: ${error}`;
    return unresolvable(why);
  }
}
