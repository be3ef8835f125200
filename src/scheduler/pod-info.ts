// Everything the scheduler wants to know of a pod, worked out once when the pod is first seen, so
// that judging a node is reading numbers.
import { controllerOf, type KubeObject } from "../kinds/object.ts";
import { hostPorts } from "../lib/host-ports.ts";
import type { HostPort } from "../lib/host-ports.ts";
import type { Labels } from "../lib/label-selector.ts";
import { podRequests, type Amounts } from "../lib/pod-requests.ts";
import type { Toleration } from "../lib/taint.ts";
import { affinityTerm, type AffinityTerm, type RawAffinityTerm } from "./affinity-term.ts";

export interface PodInfo {
  pod: KubeObject;
  uid: string;
  name: string;
  namespace: string;
  labels: Labels;
  priority: number;
  /** milli-CPU. */
  cpu: number;
  /** Bytes. */
  memory: number;
  ephemeralStorage: number;
  /** Extended resources and huge pages. */
  extended: [name: string, amount: number][];
  /** As `cpu` and `memory`, but assuming a little where a container asks for nothing. */
  scoredCpu: number;
  scoredMemory: number;
  hostPorts: HostPort[];
  tolerations: Toleration[];
  affinity: AffinityTerm[];
  antiAffinity: AffinityTerm[];
  preferredAffinity: AffinityTerm[];
  /** The controlling ReplicaSet, ReplicationController or StatefulSet; such siblings spread. */
  siblings: string | undefined;
}

/** What a container that asks for nothing is taken to use when nodes are scored. */
const assumedMilliCpu = 100;
const assumedMemoryBytes = 200 * 1024 * 1024;

const noTerms: never[] = [];
const spreading = new Set(["ReplicaSet", "ReplicationController", "StatefulSet"]);
const flat = new Set(["cpu", "memory", "ephemeral-storage"]);

function assume(own: Amounts) {
  if (!own.has("cpu")) own.set("cpu", assumedMilliCpu);
  if (!own.has("memory")) own.set("memory", assumedMemoryBytes);
}

function affinities(spec: any, owner: { namespace: string; labels: Labels }) {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const required = (from: any): AffinityTerm[] =>
    (from?.requiredDuringSchedulingIgnoredDuringExecution ?? noTerms).map((term: RawAffinityTerm) =>
      affinityTerm(term, owner),
    );
  const preferred = (from: any, sign: number): AffinityTerm[] =>
    (from?.preferredDuringSchedulingIgnoredDuringExecution ?? noTerms).map(
      (term: { weight: number; podAffinityTerm: RawAffinityTerm }) =>
        affinityTerm(term.podAffinityTerm, owner, sign * term.weight),
    );
  return {
    affinity: required(podAffinity),
    antiAffinity: required(podAntiAffinity),
    preferredAffinity: [...preferred(podAffinity, 1), ...preferred(podAntiAffinity, -1)],
  };
}

export function podInfo(pod: KubeObject): PodInfo {
  const { spec = {}, metadata } = pod;
  const requests = podRequests(spec);
  const scored = podRequests(spec, assume);
  const namespace = metadata.namespace ?? "";
  const labels = metadata.labels ?? {};
  const owner = controllerOf(pod);
  return {
    pod,
    uid: metadata.uid,
    name: metadata.name,
    namespace,
    labels,
    priority: spec.priority ?? 0,
    cpu: requests.get("cpu") ?? 0,
    memory: requests.get("memory") ?? 0,
    ephemeralStorage: requests.get("ephemeral-storage") ?? 0,
    extended: [...requests].filter(([name, amount]) => !flat.has(name) && amount > 0),
    scoredCpu: scored.get("cpu") ?? 0,
    scoredMemory: scored.get("memory") ?? 0,
    hostPorts: hostPorts(spec),
    tolerations: spec.tolerations ?? noTerms,
    ...affinities(spec, { namespace, labels }),
    siblings: owner && spreading.has(owner.kind) ? owner.uid : undefined,
  };
}
