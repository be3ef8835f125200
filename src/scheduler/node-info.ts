// A node as the scheduler sees it: what it has, what is taken, and who took it. Kept up to date pod
// by pod, never recomputed.
import type { KubeObject } from "../kinds/object.ts";
import type { Labels } from "../lib/label-selector.ts";
import { amountOf } from "../lib/pod-requests.ts";
import type { Taint } from "../lib/taint.ts";
import { anyAddress } from "../lib/host-ports.ts";
import type { HostPort } from "../lib/host-ports.ts";
import type { PodInfo } from "./pod-info.ts";

/** A pod that the snapshot accounts on a node; one that waits is on none. */
export interface PlacedPod extends PodInfo {
  node: NodeInfo;
}

export class NodeInfo {
  readonly name: string;
  /** Absent while pods are known to be here but the node itself is not (yet, or any more). */
  node: KubeObject | undefined;
  /** Position in `Snapshot.nodes`, or -1. */
  index = -1;
  labels: Labels = {};
  taints: Taint[] = [];
  unschedulable = false;
  /** milli-CPU, bytes, bytes, pieces. */
  cpu = 0;
  memory = 0;
  ephemeralStorage = 0;
  podsMax = 0;
  extended = new Map<string, number>();
  /** Image name to its size in bytes. */
  images = new Map<string, number>();
  usedCpu = 0;
  usedMemory = 0;
  usedEphemeralStorage = 0;
  usedExtended = new Map<string, number>();
  /** As `usedCpu`, `usedMemory`, with a little assumed for pods that ask for nothing. */
  scoredCpu = 0;
  scoredMemory = 0;
  readonly pods = new Set<PlacedPod>();
  /** `TCP/80` to the addresses it is taken on. */
  readonly ports = new Map<string, string[]>();

  constructor(name: string) {
    this.name = name;
  }

  set(node: KubeObject) {
    this.node = node;
    // A pod's topology key may be the name of something that every object has.
    this.labels = Object.assign(Object.create(null), node.metadata.labels);
    this.taints = node.spec?.taints ?? [];
    this.unschedulable = node.spec?.unschedulable ?? false;
    const allocatable: Record<string, string> =
      node.status?.allocatable ?? node.status?.capacity ?? {};
    this.cpu = this.memory = this.ephemeralStorage = this.podsMax = 0;
    this.extended = new Map();
    for (const name in allocatable) {
      const amount = amountOf(name, allocatable[name]!);
      if (name === "cpu") this.cpu = amount;
      else if (name === "memory") this.memory = amount;
      else if (name === "ephemeral-storage") this.ephemeralStorage = amount;
      else if (name === "pods") this.podsMax = amount;
      else this.extended.set(name, amount);
    }
    this.images = new Map();
    for (const image of node.status?.images ?? []) {
      for (const name of image.names ?? []) this.images.set(name, image.sizeBytes ?? 0);
    }
  }

  add(pod: PodInfo): PlacedPod {
    const placed: PlacedPod = Object.assign(pod, { node: this });
    this.pods.add(placed);
    this.#account(pod, 1);
    for (const { key, ip } of pod.hostPorts) {
      const taken = this.ports.get(key);
      if (taken) taken.push(ip);
      else this.ports.set(key, [ip]);
    }
    return placed;
  }

  remove(pod: PlacedPod) {
    this.pods.delete(pod);
    this.#account(pod, -1);
    for (const { key, ip } of pod.hostPorts) {
      const taken = this.ports.get(key)!;
      taken.splice(taken.indexOf(ip), 1);
      if (taken.length === 0) this.ports.delete(key);
    }
  }

  /** Is this port taken on this address, or would it take it from someone? */
  portTaken({ key, ip }: HostPort): boolean {
    const taken = this.ports.get(key);
    if (!taken) return false;
    return ip === anyAddress || taken.includes(ip) || taken.includes(anyAddress);
  }

  #account(pod: PodInfo, sign: 1 | -1) {
    this.usedCpu += sign * pod.cpu;
    this.usedMemory += sign * pod.memory;
    this.usedEphemeralStorage += sign * pod.ephemeralStorage;
    this.scoredCpu += sign * pod.scoredCpu;
    this.scoredMemory += sign * pod.scoredMemory;
    for (const [name, amount] of pod.extended) {
      this.usedExtended.set(name, (this.usedExtended.get(name) ?? 0) + sign * amount);
    }
  }
}
