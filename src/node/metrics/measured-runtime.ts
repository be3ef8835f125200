// A runtime whose calls are counted and timed. Pure but for the clock.
import type { Clock } from "../../lib/clock.ts";
import type { Runtime } from "../runtime.ts";
import type { AgentMetrics } from "./agent-metrics.ts";

/** What the kubelet calls them. */
const operations: Partial<Record<keyof Runtime, string>> = {
  runSandbox: "run_podsandbox",
  stopSandbox: "stop_podsandbox",
  removeSandbox: "remove_podsandbox",
  createContainer: "create_container",
  startContainer: "start_container",
  stopContainer: "stop_container",
  removeContainer: "remove_container",
  updateContainer: "update_container",
  pods: "list_podsandbox",
  pod: "podsandbox_status",
  imageStatus: "image_status",
  pullImage: "pull_image",
  listImages: "list_images",
  removeImage: "remove_image",
  execSync: "exec_sync",
  exec: "exec",
  attach: "attach",
  portForward: "port_forward",
  reopenLog: "reopen_container_log",
  stats: "list_container_stats",
};

export function measuredRuntime(
  runtime: Runtime,
  { metrics, clock }: { metrics: AgentMetrics; clock: Clock },
): Runtime {
  const measured = (type: string, call: (...args: unknown[]) => Promise<unknown>) => {
    return async (...args: unknown[]) => {
      const began = clock.monotonic();
      let failed = true;
      try {
        const answer = await call(...args);
        failed = false;
        return answer;
      } finally {
        metrics.operation(type, clock.monotonic() - began, failed);
      }
    };
  };
  const made = new Map<PropertyKey, unknown>();
  return new Proxy(runtime, {
    get(target, name) {
      if (made.has(name)) return made.get(name);
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      const type = operations[name as keyof Runtime];
      const bound = value.bind(target);
      const given = type ? measured(type, bound) : bound;
      made.set(name, given);
      return given;
    },
  });
}
