// Probes of a pod's running containers. A startup probe holds the other two back; what they find lies in
// the pod's state, and the worker is woken when it changed.
import { sleep } from "../../lib/clock.ts";
import type { AgentContext } from "../context.ts";
import { runHandler } from "./handlers.ts";
import { isRunning } from "../pods/instances.ts";
import type { Instance, Instances } from "../pods/instances.ts";
import { allContainers } from "../pods/pod.ts";
import type { Container, Pod, Probe } from "../pods/pod.ts";
import type { PodState, ProbeResults } from "../pods/pod-state.ts";

type ProbeName = "Startup" | "Liveness" | "Readiness";

interface Target {
  pod: () => Pod;
  podIp: () => string;
  container: Container;
  instance: Instance;
  results: ProbeResults;
  signal: AbortSignal;
}

const labelsOf = ({ pod, container }: Target) => {
  const { name, namespace = "", uid } = pod().metadata;
  return { container: container.name, pod: name, namespace, pod_uid: uid };
};

/** What the API last said of this very container, so that Kerb's restart makes no pod unready. */
function initialResults(pod: Pod, container: Container, instance: Instance): ProbeResults {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const before = [...initContainerStatuses, ...containerStatuses].find((one: any) =>
    one.containerID?.endsWith(`//${instance.id}`),
  );
  const started = !container.startupProbe || before?.started === true;
  const ready = started && (!container.readinessProbe || before?.ready === true);
  return { started, ready };
}

export class Prober {
  readonly #context: AgentContext;
  readonly #state: PodState;
  readonly #wake: () => void;
  readonly #running = new Map<string, AbortController>();

  constructor(context: AgentContext, state: PodState, wake: () => void) {
    this.#context = context;
    this.#state = state;
    this.#wake = wake;
  }

  /** Probes what runs, and nothing else. */
  follow(pod: () => Pod, instances: () => Instances) {
    const alive = new Set<string>();
    for (const container of allContainers(pod())) {
      const instance = instances().newest.get(container.name);
      if (!isRunning(instance)) continue;
      const { id } = instance!;
      alive.add(id);
      // A postStart hook comes before the first probe.
      if (this.#running.has(id) || this.#state.busy.has(`start/${container.name}`)) continue;
      const controller = new AbortController();
      this.#running.set(id, controller);
      const results = initialResults(pod(), container, instance!);
      this.#state.probes.set(id, results);
      const podIp = () =>
        instances().sandbox?.ips[0] ?? this.#context.facts.hostIps[0] ?? "127.0.0.1";
      const { signal } = controller;
      const target = { pod, podIp, container, instance: instance!, results, signal };
      const labels = labelsOf(target);
      signal.addEventListener("abort", () => this.#context.metrics.forgetProbes(labels));
      void this.#probe(target).catch(() => {});
    }
    for (const id of this.#running.keys()) if (!alive.has(id)) this.#forget(id);
  }

  stop() {
    for (const id of this.#running.keys()) this.#forget(id);
  }

  #forget(id: string) {
    this.#running.get(id)?.abort();
    this.#running.delete(id);
    this.#state.probes.delete(id);
  }

  async #probe(target: Target) {
    const { container, results } = target;
    const { startupProbe, livenessProbe, readinessProbe } = container;
    if (startupProbe && !results.started) {
      const passed = await this.#repeat("Startup", startupProbe, target);
      if (!passed) return;
    }
    await Promise.all([
      livenessProbe && this.#repeat("Liveness", livenessProbe, target),
      readinessProbe && this.#repeat("Readiness", readinessProbe, target),
    ]);
  }

  #set(results: ProbeResults, change: Partial<ProbeResults>) {
    Object.assign(results, change);
    this.#wake();
  }

  /** True once a startup probe passed; false when a probe decided to restart the container. */
  async #repeat(name: ProbeName, probe: Probe, target: Target): Promise<boolean> {
    const { clock, event } = this.#context;
    const { container, signal, results, instance } = target;
    const { periodSeconds = 10, successThreshold = 1, failureThreshold = 3 } = probe;
    const ageMs = clock.now() - instance.startedAt;
    await sleep(clock, Math.max((probe.initialDelaySeconds ?? 0) * 1000 - ageMs, 0), signal);
    let successes = 0;
    let failures = 0;
    for (;;) {
      const { ok, output } = await this.#once(probe, target);
      if (signal.aborted) return false;
      const result = ok ? "successful" : "failed";
      this.#context.metrics.probed({ ...labelsOf(target), probe_type: name }, result);
      successes = ok ? successes + 1 : 0;
      failures = ok ? 0 : failures + 1;
      if (!ok) event(target.pod(), "Warning", "Unhealthy", `${name} probe failed: ${output}`);
      if (name === "Readiness") {
        if (ok && !results.ready && successes >= successThreshold) {
          this.#set(results, { ready: true });
        }
        if (!ok && results.ready && failures >= failureThreshold) {
          this.#set(results, { ready: false });
        }
      } else if (failures >= failureThreshold) {
        const unhealthy = `Container ${container.name} failed ${name.toLowerCase()} probe, will be restarted`;
        this.#set(results, { unhealthy, graceSeconds: probe.terminationGracePeriodSeconds });
        return false;
      } else if (name === "Startup" && ok) {
        this.#set(results, { started: true, ready: !container.readinessProbe });
        return true;
      }
      await sleep(clock, periodSeconds * 1000, signal);
    }
  }

  #once(probe: Probe, { pod, container, instance, podIp, signal }: Target) {
    const { runtime, clock, parts } = this.#context;
    const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
    const { uid } = pod().metadata;
    for (const part of parts.values()) {
      const verdict = part.probe?.(uid, { command: probe.exec?.command, timeoutMs });
      if (verdict) return verdict;
    }
    return runHandler(probe, {
      runtime,
      clock,
      container,
      containerId: instance.id,
      podIp: podIp(),
      timeoutMs,
      signal,
    });
  }
}
