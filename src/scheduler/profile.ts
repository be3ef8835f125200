// The default profile: which filters and scores judge a node, in upstream's order. Node name comes
// first and the costly ones last, since the first refusal ends the judgement of a node.
import type { Filter } from "./filter.ts";
import { devices } from "./filters/devices.ts";
import { interPodAffinity } from "./filters/inter-pod-affinity.ts";
import { nodeAffinity } from "./filters/node-affinity.ts";
import { nodeName } from "./filters/node-name.ts";
import { nodePorts } from "./filters/node-ports.ts";
import { nodeUnschedulable } from "./filters/node-unschedulable.ts";
import { resourcesFit } from "./filters/resources-fit.ts";
import { taints } from "./filters/taints.ts";
import { topologySpread } from "./filters/topology-spread.ts";
import { volumeLimits } from "./filters/volume-limits.ts";
import { volumeRestrictions } from "./filters/volume-restrictions.ts";
import { volumes } from "./filters/volumes.ts";
import type { Score } from "./score.ts";
import { balancedAllocation } from "./scores/balanced-allocation.ts";
import { imageLocality } from "./scores/image-locality.ts";
import { preferredInterPodAffinity } from "./scores/inter-pod-affinity.ts";
import { leastAllocated } from "./scores/least-allocated.ts";
import { preferredNodeAffinity } from "./scores/node-affinity.ts";
import { taintPreference } from "./scores/taints.ts";
import { topologySpreadPreference } from "./scores/topology-spread.ts";

export const filters: readonly Filter[] = [
  nodeUnschedulable,
  nodeName,
  taints,
  nodeAffinity,
  nodePorts,
  resourcesFit,
  volumeRestrictions,
  volumeLimits,
  volumes,
  devices,
  topologySpread,
  interPodAffinity,
];

export const scores: readonly Score[] = [
  taintPreference,
  preferredNodeAffinity,
  topologySpreadPreference,
  preferredInterPodAffinity,
  leastAllocated,
  balancedAllocation,
  imageLocality,
];
