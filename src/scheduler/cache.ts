// Keeps snapshot and queue true to what the informers tell. An assumption (a pod placed by us whose
// binding has not been seen yet) stands until the pod is seen bound, or the binding fails.
import { resource, type Resource } from "../client/client.ts";
import type { Informer } from "../client/informer.ts";
import type { KubeObject } from "../kinds/object.ts";
import { deviceClasses, resourceClaims, resourceSlices } from "./bind-devices.ts";
import { persistentVolumeClaims, persistentVolumes } from "./claims.ts";
import { Devices } from "./devices/devices.ts";
import type { CompileSelector } from "./devices/devices.ts";
import type { WakeEvent } from "./filter.ts";
import { podInfo, type PodInfo } from "./pod-info.ts";
import { isGated, type SchedulingQueue } from "./queue.ts";
import { Snapshot } from "./snapshot.ts";

export const inputs = {
  pods: resource("v1", "pods"),
  nodes: resource("v1", "nodes"),
  namespaces: resource("v1", "namespaces"),
  claims: persistentVolumeClaims,
  volumes: persistentVolumes,
  storageClasses: resource("storage.k8s.io/v1", "storageclasses"),
  csiNodes: resource("storage.k8s.io/v1", "csinodes"),
  csiDrivers: resource("storage.k8s.io/v1", "csidrivers"),
  csiCapacities: resource("storage.k8s.io/v1", "csistoragecapacities"),
  budgets: resource("policy/v1", "poddisruptionbudgets"),
  resourceClaims,
  deviceClasses,
  resourceSlices,
};

export type Informers = (resource: Resource) => Informer;

export interface CacheOptions {
  informers: Informers;
  queue: SchedulingQueue;
  schedulerName: string;
  loadSelector: () => Promise<CompileSelector>;
  /** Something may be schedulable now. */
  onChange: () => void;
  /** A pod that has scheduling gates was seen. */
  onGated: (pod: PodInfo) => void;
}

const isTerminal = ({ status }: KubeObject) =>
  status?.phase === "Succeeded" || status?.phase === "Failed";

export class Cache {
  readonly snapshot: Snapshot;
  /** Uids of pods placed by us whose binding was not seen yet. */
  readonly assumed = new Set<string>();
  readonly #options: CacheOptions;
  readonly #stops: (() => void)[] = [];

  constructor(options: CacheOptions) {
    this.#options = options;
    const { informers } = options;
    const claims = informers(inputs.claims);
    const volumes = informers(inputs.volumes);
    const classes = informers(inputs.storageClasses);
    const csiNodes = informers(inputs.csiNodes);
    const csiDrivers = informers(inputs.csiDrivers);
    const capacities = informers(inputs.csiCapacities);
    const devices = new Devices({
      claims: informers(inputs.resourceClaims),
      classes: informers(inputs.deviceClasses),
      slices: informers(inputs.resourceSlices),
      loadSelector: options.loadSelector,
      onReady: () => this.#wake("device"),
    });
    const lookup = {
      claim: (namespace: string, name: string) => claims.get(name, namespace),
      volume: (name: string) => volumes.get(name),
      volumes: () => volumes.list(),
      storageClass: (name: string) => classes.get(name),
      csiNode: (name: string) => csiNodes.get(name),
      csiDriver: (name: string) => csiDrivers.get(name),
      capacities: () => capacities.list(),
    };
    this.snapshot = new Snapshot(lookup, devices);
  }

  async start() {
    const { informers } = this.#options;
    const follow = (input: Resource, set: (o: KubeObject, p?: KubeObject) => void, gone = set) => {
      const events = { onAdd: set, onUpdate: set, onDelete: gone };
      this.#stops.push(informers(input).subscribe(events));
    };
    const wake = (event: WakeEvent) => () => this.#wake(event);
    const all = Object.values(inputs);
    await Promise.all(all.map((input) => informers(input).synced()));
    follow(inputs.nodes, this.#node, (node) => this.snapshot.removeNode(node.metadata.name));
    follow(inputs.namespaces, this.#namespace, ({ metadata }) => {
      this.snapshot.namespaces.delete(metadata.name);
    });
    follow(inputs.claims, wake("volume"));
    follow(inputs.volumes, wake("volume"));
    follow(inputs.storageClasses, wake("volume"));
    follow(inputs.csiNodes, wake("volume"));
    follow(inputs.csiDrivers, wake("volume"));
    follow(inputs.csiCapacities, wake("volume"));
    follow(inputs.resourceClaims, this.#resourceClaim, this.#resourceClaimGone);
    follow(inputs.deviceClasses, wake("device"));
    follow(inputs.resourceSlices, () => {
      this.snapshot.devices!.slicesChanged();
      this.#wake("device");
    });
    follow(inputs.pods, this.#pod, this.#podGone);
  }

  stop() {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #wake(event: WakeEvent) {
    this.#options.queue.wake(event);
    this.#options.onChange();
  }

  readonly #resourceClaim = (claim: KubeObject) => {
    if (claim["status"]?.allocation) this.snapshot.devices!.forget(claim.metadata.uid);
    this.#wake("device");
  };

  readonly #resourceClaimGone = ({ metadata }: KubeObject) => {
    this.snapshot.devices!.forget(metadata.uid);
    this.#wake("device");
  };

  readonly #node = (node: KubeObject, previous?: KubeObject) => {
    if (previous && !nodeChanged(previous, node)) return;
    this.snapshot.setNode(node);
    this.#wake("node");
  };

  readonly #namespace = ({ metadata }: KubeObject) => {
    this.snapshot.namespaces.set(metadata.name, metadata.labels ?? {});
    this.#wake("namespace");
  };

  readonly #pod = (pod: KubeObject, previous?: KubeObject) => {
    const { uid } = pod.metadata;
    if (isTerminal(pod)) return this.#podGone(pod);
    if (!pod.spec?.nodeName) {
      if (pod.metadata.deletionTimestamp) return this.#podGone(pod);
      if (this.assumed.has(uid)) return;
      if ((pod.spec?.schedulerName ?? "default-scheduler") !== this.#options.schedulerName) return;
      const info = podInfo(pod);
      this.#options.queue.add(info);
      if (isGated(info)) this.#options.onGated(info);
      const promised: string | undefined = pod.status?.nominatedNodeName;
      this.snapshot.clearNomination(uid);
      if (promised) this.snapshot.nominate(info, promised);
      return this.#options.onChange();
    }
    this.assumed.delete(uid);
    const known = this.snapshot.pods.get(uid);
    if (known && known.node.name === pod.spec.nodeName && !podChanged(known.pod, pod)) {
      known.pod = pod;
      return;
    }
    this.#options.queue.remove(uid);
    this.snapshot.clearNomination(uid);
    this.snapshot.place(podInfo(pod), pod.spec.nodeName);
    this.#wake(previous?.spec?.nodeName ? "pod-removed" : "pod-added");
  };

  readonly #podGone = ({ metadata: { uid } }: KubeObject) => {
    this.assumed.delete(uid);
    this.#options.queue.remove(uid);
    this.snapshot.clearNomination(uid);
    if (!this.snapshot.pods.has(uid)) return;
    this.snapshot.remove(uid);
    this.#wake("pod-removed");
  };
}

/** Heartbeats change a node's conditions only; those are not looked at. */
function nodeChanged(before: KubeObject, after: KubeObject): boolean {
  const seen = ({ metadata, spec, status }: KubeObject) =>
    JSON.stringify([metadata.labels, spec, status?.allocatable, status?.images]);
  return seen(before) !== seen(after);
}

/** What a placed pod takes and what others see of it changes only with its labels and resources. */
function podChanged(before: KubeObject, after: KubeObject): boolean {
  const { metadata: left } = before;
  const { metadata: right } = after;
  if (left.generation !== right.generation || left.generation === undefined) {
    if (JSON.stringify(before.spec) !== JSON.stringify(after.spec)) return true;
  }
  return JSON.stringify(left.labels) !== JSON.stringify(right.labels);
}
