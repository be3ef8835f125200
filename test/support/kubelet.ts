// Stands in for every node agent: pods become ready as soon as they are seen (unless `healthy` says no), and
// those that are deleted end at once.
import { resource } from "../../src/client/client.ts";
import type { KubeObject } from "../../src/kinds/object.ts";
import { timestamp } from "../../src/lib/clock.ts";
import { isStatus } from "../../src/lib/status-error.ts";
import type { Cluster } from "./cluster.ts";

const pods = resource("v1", "pods");

export interface KubeletOptions {
  /** Pods for which this is false stay pending. */
  healthy?: (pod: KubeObject) => boolean;
  /** Pods for which this is true are kept though they are deleted. */
  lingers?: (pod: KubeObject) => boolean;
}

/** Returns a function that looks at every pod again, after what `options` say has changed. */
export function startKubelet(cluster: Cluster, options: KubeletOptions = {}): () => void {
  const { client, clock, informer } = cluster;
  const healthy = options.healthy ?? (() => true);
  const lingers = options.lingers ?? (() => false);
  let last = 0;

  const look = async (pod: KubeObject) => {
    const { name, namespace, deletionTimestamp } = pod.metadata;
    const target = { ...pods, namespace, name };
    if (deletionTimestamp) {
      if (!lingers(pod)) await client.delete(target, { gracePeriodSeconds: 0 });
    } else if (!pod.status?.podIP && healthy(pod)) {
      const lastTransitionTime = timestamp(clock.now());
      const podIP = `10.1.${last >> 8}.${last++ & 255}`;
      const conditions = [{ type: "Ready", status: "True", lastTransitionTime }];
      const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions };
      await client.patch({ ...target, subresource: "status" }, "merge", { status });
    }
  };
  const see = (pod: KubeObject) =>
    void look(pod).catch((error: unknown) => {
      if (!isStatus(error, "NotFound") && !cluster.scope.closed) throw error;
    });
  cluster.scope.defer(informer(pods).subscribe({ onAdd: see, onUpdate: see }));
  return () => informer(pods).list().forEach(see);
}
