// The scheduler's memory of the cluster: nodes and the pods on them, kept true by informer events
// and by the scheduler's own assumptions, with the few indexes its filters and scores need. One
// pod's arrival costs the size of that pod, whatever the size of the cluster.
import type { KubeObject } from "../kinds/object.ts";
import type { Labels } from "../lib/label-selector.ts";
import type { Devices } from "./devices/devices.ts";
import { NodeInfo } from "./node-info.ts";
import type { PlacedPod } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";

/** What volume filters need to look up. */
export interface VolumeLookup {
  claim(namespace: string, name: string): KubeObject | undefined;
  volume(name: string): KubeObject | undefined;
  volumes(): KubeObject[];
  storageClass(name: string): KubeObject | undefined;
  /** What drivers of volumes say of a node. */
  csiNode(name: string): KubeObject | undefined;
  csiDriver(name: string): KubeObject | undefined;
  /** Room that drivers say they have, by place and class. */
  capacities(): KubeObject[];
}

export const noVolumes: VolumeLookup = {
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
  csiNode: () => undefined,
  csiDriver: () => undefined,
  capacities: () => [],
};

export class Snapshot {
  /** The nodes that exist, in no particular order. */
  readonly nodes: NodeInfo[] = [];
  readonly byName = new Map<string, NodeInfo>();
  readonly pods = new Map<string, PlacedPod>();
  readonly podsOfNamespace = new Map<string, Set<PlacedPod>>();
  /** Placed pods that have required anti-affinity; and those with any inter-pod terms that score. */
  readonly antiAffine = new Set<PlacedPod>();
  readonly affine = new Set<PlacedPod>();
  /** Owner's uid to how many of its pods each node holds. */
  readonly siblings = new Map<string, Map<NodeInfo, number>>();
  /** Image name to the number of nodes that have it. */
  readonly imageNodes = new Map<string, number>();
  readonly namespaces = new Map<string, Labels>();
  /** Pods that wait for room made by preemption, by the node they were promised. */
  readonly nominated = new Map<string, Set<PodInfo>>();
  /** Where the next search for feasible nodes begins. */
  rotation = 0;
  /** How many nodes have a PreferNoSchedule taint. */
  softTainted = 0;
  readonly volumes: VolumeLookup;
  /** Absent where no devices are claimed. */
  readonly devices: Devices | undefined;

  constructor(volumes: VolumeLookup = noVolumes, devices?: Devices) {
    this.volumes = volumes;
    this.devices = devices;
  }

  setNode(node: KubeObject) {
    const info = this.#info(node.metadata.name);
    this.#forget(info);
    info.set(node);
    if (info.index < 0) info.index = this.nodes.push(info) - 1;
    this.#count(info, 1);
  }

  removeNode(name: string) {
    const info = this.byName.get(name);
    if (!info?.node) return;
    this.#forget(info);
    info.node = undefined;
    const last = this.nodes.pop()!;
    if (last !== info) {
      this.nodes[info.index] = last;
      last.index = info.index;
    }
    info.index = -1;
    if (info.pods.size === 0) this.byName.delete(name);
  }

  /** Accounts a pod on a node, in place of what was known of it before. */
  place(info: PodInfo, nodeName: string) {
    this.remove(info.uid);
    const node = this.#info(nodeName);
    const pod = node.add(info);
    this.pods.set(pod.uid, pod);
    const peers = this.podsOfNamespace.get(pod.namespace);
    if (peers) peers.add(pod);
    else this.podsOfNamespace.set(pod.namespace, new Set([pod]));
    if (pod.antiAffinity.length > 0) this.antiAffine.add(pod);
    if (pod.affinity.length > 0 || pod.preferredAffinity.length > 0) this.affine.add(pod);
    if (pod.siblings) this.#sibling(pod.siblings, node, 1);
  }

  remove(uid: string) {
    const pod = this.pods.get(uid);
    if (!pod) return;
    const { node } = pod;
    node.remove(pod);
    this.pods.delete(uid);
    const peers = this.podsOfNamespace.get(pod.namespace)!;
    peers.delete(pod);
    if (peers.size === 0) this.podsOfNamespace.delete(pod.namespace);
    this.antiAffine.delete(pod);
    this.affine.delete(pod);
    if (pod.siblings) this.#sibling(pod.siblings, node, -1);
    if (!node.node && node.pods.size === 0) this.byName.delete(node.name);
  }

  nominate(pod: PodInfo, nodeName: string) {
    const pods = this.nominated.get(nodeName);
    if (pods) pods.add(pod);
    else this.nominated.set(nodeName, new Set([pod]));
  }

  clearNomination(uid: string) {
    for (const [name, pods] of this.nominated) {
      for (const pod of pods) if (pod.uid === uid) pods.delete(pod);
      if (pods.size === 0) this.nominated.delete(name);
    }
  }

  #info(name: string): NodeInfo {
    let info = this.byName.get(name);
    if (!info) this.byName.set(name, (info = new NodeInfo(name)));
    return info;
  }

  #forget(info: NodeInfo) {
    if (info.node) this.#count(info, -1);
  }

  #count(info: NodeInfo, by: 1 | -1) {
    for (const image of info.images.keys()) {
      const count = (this.imageNodes.get(image) ?? 0) + by;
      if (count > 0) this.imageNodes.set(image, count);
      else this.imageNodes.delete(image);
    }
    if (info.taints.some((taint) => taint.effect === "PreferNoSchedule")) this.softTainted += by;
  }

  #sibling(owner: string, node: NodeInfo, by: 1 | -1) {
    let counts = this.siblings.get(owner);
    if (!counts) this.siblings.set(owner, (counts = new Map()));
    const count = (counts.get(node) ?? 0) + by;
    if (count > 0) counts.set(node, count);
    else counts.delete(node);
    if (counts.size === 0) this.siblings.delete(owner);
  }
}
