// Nodes and pods for this room's tests and benchmark.
import type { KubeObject } from "../kinds/object.ts";
import { podInfo, type PodInfo } from "./pod-info.ts";
import { Snapshot } from "./snapshot.ts";

export interface NodeFixture {
  labels?: Record<string, string>;
  taints?: { key: string; value?: string; effect: string }[];
  unschedulable?: boolean;
  allocatable?: Record<string, string>;
  images?: { names: string[]; sizeBytes: number }[];
}

export function node(name: string, of: NodeFixture = {}): KubeObject {
  const { labels, taints, unschedulable, images } = of;
  const allocatable = { cpu: "4", memory: "8Gi", pods: "110", ...of.allocatable };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      uid: `node-${name}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { "kubernetes.io/hostname": name, ...labels },
    },
    spec: { ...(taints && { taints }), ...(unschedulable && { unschedulable }) },
    status: { allocatable, ...(images && { images }) },
  };
}

export interface PodFixture {
  namespace?: string;
  labels?: Record<string, string>;
  requests?: Record<string, string>;
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  owner?: { kind: string; uid: string };
}

export function pod(name: string, of: PodFixture = {}): KubeObject {
  const { namespace = "default", labels = {}, requests, spec, status = {}, owner } = of;
  const reference = owner && { apiVersion: "apps/v1", name: owner.uid, controller: true, ...owner };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      uid: `pod-${namespace}-${name}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels,
      ...(reference && { ownerReferences: [reference] }),
    },
    spec: {
      schedulerName: "default-scheduler",
      containers: [{ name: "main", image: "app", resources: requests ? { requests } : {} }],
      ...spec,
    },
    status: { phase: "Pending", ...status },
  };
}

export const info = (name: string, of: PodFixture = {}): PodInfo => podInfo(pod(name, of));

/** A snapshot of these nodes, with these pods placed. */
export function snapshotOf(nodes: KubeObject[], placed: Record<string, PodInfo[]> = {}): Snapshot {
  const snapshot = new Snapshot();
  for (const each of nodes) snapshot.setNode(each);
  for (const name in placed) for (const each of placed[name]!) snapshot.place(each, name);
  return snapshot;
}
