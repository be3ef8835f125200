// What the agent counts of its own work, under the names of the kubelet's metrics that dashboards read. What can
// be looked up when somebody asks is not counted here (`pages/`).
import { Counter, Histogram, Registry } from "prom-client";

/** Of the kubelet: most of them a second or less, and images that take their time. */
const startBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800,
  2700, 3600,
];
const workBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export interface Probed {
  probe_type: "Startup" | "Liveness" | "Readiness";
  container: string;
  pod: string;
  namespace: string;
  pod_uid: string;
}

const results = ["successful", "failed", "unknown"] as const;

export class AgentMetrics {
  readonly work = new Registry();
  readonly probes = new Registry();
  readonly #starts: Histogram;
  readonly #totals: Histogram;
  readonly #turns: Histogram;
  readonly #operations: Counter;
  readonly #operationErrors: Counter;
  readonly #operationSeconds: Histogram;
  readonly #storage: Histogram;
  readonly #pods: Counter;
  readonly #podErrors: Counter;
  readonly #containers: Counter;
  readonly #containerErrors: Counter;
  readonly #evictions: Counter;
  readonly #probed: Counter;

  constructor() {
    this.#starts = this.#histogram("kubelet_pod_start_duration_seconds", [], startBuckets);
    this.#totals = this.#histogram("kubelet_pod_start_total_duration_seconds", [], startBuckets);
    this.#turns = this.#histogram("kubelet_pod_worker_duration_seconds", ["operation_type"]);
    const operation = ["operation_type"];
    this.#operations = this.#counter("kubelet_runtime_operations_total", operation);
    this.#operationErrors = this.#counter("kubelet_runtime_operations_errors_total", operation);
    const seconds = "kubelet_runtime_operations_duration_seconds";
    this.#operationSeconds = this.#histogram(seconds, operation);
    const storage = ["operation_name", "volume_plugin", "status", "migrated"];
    this.#storage = this.#histogram("storage_operation_duration_seconds", storage);
    this.#pods = this.#counter("kubelet_started_pods_total", []);
    this.#podErrors = this.#counter("kubelet_started_pods_errors_total", []);
    this.#containers = this.#counter("kubelet_started_containers_total", ["container_type"]);
    const errors = ["container_type", "code"];
    this.#containerErrors = this.#counter("kubelet_started_containers_errors_total", errors);
    this.#evictions = this.#counter("kubelet_evictions", ["eviction_signal"]);
    this.#probed = new Counter({
      name: "prober_probe_total",
      help: "Results of probes of containers, by the kind of the probe.",
      labelNames: ["probe_type", "result", "container", "pod", "namespace", "pod_uid"],
      registers: [this.probes],
    });
  }

  #counter(name: string, labelNames: string[]) {
    return new Counter({ name, help: helpOf(name), labelNames, registers: [this.work] });
  }

  #histogram(name: string, labelNames: string[], buckets = workBuckets) {
    const help = helpOf(name);
    return new Histogram({ name, help, labelNames, buckets, registers: [this.work] });
  }

  /** From when the node, or anybody, first knew of the pod until it ran. */
  podRuns({ seenMs, createdMs }: { seenMs: number; createdMs: number }) {
    this.#starts.observe(seenMs / 1000);
    this.#totals.observe(Math.max(createdMs, 0) / 1000);
  }

  turn(kind: "create" | "sync", ms: number) {
    this.#turns.observe({ operation_type: kind }, ms / 1000);
  }

  operation(type: string, ms: number, failed: boolean) {
    this.#operations.inc({ operation_type: type });
    this.#operationSeconds.observe({ operation_type: type }, ms / 1000);
    if (failed) this.#operationErrors.inc({ operation_type: type });
  }

  mounted(plugin: string, ms: number, failed: boolean) {
    const status = failed ? "fail-unknown" : "success";
    const labels = { operation_name: "volume_mount", volume_plugin: plugin, status };
    this.#storage.observe({ ...labels, migrated: "false" }, ms / 1000);
  }

  podStarted(failed: boolean) {
    this.#pods.inc();
    if (failed) this.#podErrors.inc();
  }

  /** `code` is why it did not start. */
  containerStarted(type: string, code?: string) {
    this.#containers.inc({ container_type: type });
    if (code !== undefined) this.#containerErrors.inc({ container_type: type, code });
  }

  evicted(signal: string) {
    this.#evictions.inc({ eviction_signal: signal });
  }

  probed(of: Probed, result: (typeof results)[number]) {
    this.#probed.inc({ ...of, result });
  }

  /** The container is gone, and so are the rows about its probes. */
  forgetProbes(of: Omit<Probed, "probe_type">) {
    for (const probe_type of ["Startup", "Liveness", "Readiness"]) {
      for (const result of results) this.#probed.remove({ ...of, probe_type, result });
    }
  }
}

/** A name that says it all: `kubelet_started_pods_total` is "Started pods total". */
function helpOf(name: string) {
  const words = name.replace(/^kubelet_/, "").replaceAll("_", " ");
  return `${words[0]!.toUpperCase()}${words.slice(1)}.`;
}
