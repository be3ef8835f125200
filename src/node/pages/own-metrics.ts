// What `/metrics` tells of the agent that can be looked up when somebody asks.
import { isRunning } from "../pods/instances.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import { pluginOf, typeNameOf } from "../volumes/types.ts";
import type { Family } from "../../lib/exposition.ts";

const row = (
  type: Family["type"],
  name: string,
  help: string,
  samples: Family["samples"],
): Family => ({ name, help, type, samples });

function processFamilies(): Family[] {
  const { user, system } = process.cpuUsage();
  const startedAt = performance.timeOrigin / 1000;
  return [
    row("gauge", "process_resident_memory_bytes", "Resident memory of the process", [
      { value: process.memoryUsage.rss() },
    ]),
    row("counter", "process_cpu_seconds_total", "Processor time of the process", [
      { value: (user + system) / 1e6 },
    ]),
    row("gauge", "process_start_time_seconds", "Start of the process since 1970", [
      { value: startedAt },
    ]),
  ];
}

/** Those that are asked for, and those that are there, by type. */
function volumeFamily(all: PodWorker[]): Family {
  const counts = new Map<string, [wanted: number, made: number]>();
  for (const { pod, volumes } of all) {
    for (const volume of pod.spec.volumes ?? []) {
      const plugin = pluginOf(typeNameOf(volume));
      const [wanted, made] = counts.get(plugin) ?? [0, 0];
      counts.set(plugin, [wanted + 1, made + (volumes.has(volume.name) ? 1 : 0)]);
    }
  }
  const samples = [...counts].flatMap(([plugin_name, [wanted, made]]) => [
    { labels: { plugin_name, state: "desired_state_of_world" }, value: wanted },
    { labels: { plugin_name, state: "actual_state_of_world" }, value: made },
  ]);
  return row("gauge", "volume_manager_total_volumes", "Volumes of pods by type", samples);
}

export function ownMetrics(nodeName: string, all: PodWorker[]): Family[] {
  const states = all.flatMap(({ instances }) =>
    [...instances.newest.values()].filter(({ remembered }) => !remembered),
  );
  const inState = (state: string) => states.filter((one) => one.state === state).length;
  const running = all.filter(({ instances }) => [...instances.newest.values()].some(isRunning));
  const active = all.filter(({ state }) => !state.finished && !state.ending);
  const gauge = (name: string, help: string, samples: Family["samples"]) =>
    row("gauge", `kubelet_${name}`, help, samples);
  return [
    gauge("node_name", "The node's name; always 1", [{ labels: { node: nodeName }, value: 1 }]),
    gauge("running_pods", "Pods with a running container", [{ value: running.length }]),
    gauge("desired_pods", "Pods that this node was given", [{ value: all.length }]),
    gauge("active_pods", "Pods that this node keeps", [{ value: active.length }]),
    gauge(
      "running_containers",
      "Containers by state",
      ["created", "running", "exited", "unknown"].map((state) => ({
        labels: { container_state: state },
        value: inState(state),
      })),
    ),
    volumeFamily(all),
    ...processFamilies(),
  ];
}
