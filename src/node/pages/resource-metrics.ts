// `/metrics/resource` and `/metrics/cadvisor`: what runs used up to now, under the names that collectors know.
// Pure.
import { amountIn } from "../../lib/qos-class.ts";
import { allContainers } from "../pods/pod.ts";
import { cpuPeriod, cpuQuota, cpuShares } from "../machine/resources.ts";
import type { Family, Sample } from "../../lib/exposition.ts";
import type { ContainerMeasure, Measures, PodMeasure } from "./measures.ts";

const seconds = (nanoseconds: number) => nanoseconds / 1e9;

const family = (type: Family["type"], name: string, help: string, samples: Sample[]): Family => ({
  name,
  help,
  type,
  samples,
});

const podLabels = ({ pod: { metadata } }: PodMeasure) => ({
  namespace: metadata.namespace ?? "",
  pod: metadata.name,
});

type Value = (one: ContainerMeasure) => number | undefined;

/** One sample of each container that has the value. */
function eachContainer(
  { pods }: Measures,
  value: Value,
  more: (one: ContainerMeasure) => Record<string, string> = () => ({}),
): Sample[] {
  return pods.flatMap((pod) =>
    pod.containers.flatMap((one) => {
      const found = value(one);
      if (found === undefined) return [];
      const labels = { container: one.name, ...more(one), ...podLabels(pod) };
      return [{ labels, value: found }];
    }),
  );
}

function eachPod({ pods }: Measures, value: (one: ContainerMeasure) => number): Sample[] {
  return pods
    .filter(({ containers }) => containers.length > 0)
    .map((pod) => ({
      labels: podLabels(pod),
      value: pod.containers.reduce((sum, one) => sum + value(one), 0),
    }));
}

const cpuOf = ({ stats }: ContainerMeasure) => seconds(stats.cpuNanoseconds);
const memoryOf = ({ stats }: ContainerMeasure) => stats.workingSetBytes;

export function resourceMetrics(measures: Measures): Family[] {
  const { cpuNanoseconds, workingSetBytes } = measures;
  const started = (one: ContainerMeasure) => one.instance.startedAt / 1000;
  return [
    family("counter", "node_cpu_usage_seconds_total", "Cumulative cpu time consumed by the node", [
      { value: seconds(cpuNanoseconds) },
    ]),
    family("gauge", "node_memory_working_set_bytes", "Current working set of the node", [
      { value: workingSetBytes },
    ]),
    family(
      "counter",
      "container_cpu_usage_seconds_total",
      "Cumulative cpu time consumed by the container",
      eachContainer(measures, cpuOf),
    ),
    family(
      "gauge",
      "container_memory_working_set_bytes",
      "Current working set of the container",
      eachContainer(measures, memoryOf),
    ),
    family(
      "gauge",
      "container_start_time_seconds",
      "Start time of the container since 1970",
      eachContainer(measures, started),
    ),
    family(
      "counter",
      "pod_cpu_usage_seconds_total",
      "Cumulative cpu time consumed by the pod",
      eachPod(measures, cpuOf),
    ),
    family(
      "gauge",
      "pod_memory_working_set_bytes",
      "Current working set of the pod",
      eachPod(measures, memoryOf),
    ),
    family("gauge", "resource_scrape_error", "1 if there was an error, 0 otherwise", [
      { value: 0 },
    ]),
  ];
}

const identity = ({ instance, name }: ContainerMeasure) => ({
  id: `/${instance.id}`,
  image: instance.image,
  name,
});

function networkFamilies({ pods }: Measures): Family[] {
  const samples = (value: (link: NonNullable<PodMeasure["network"]>) => number) =>
    pods.flatMap((pod) =>
      pod.network
        ? [{ labels: { interface: "eth0", ...podLabels(pod) }, value: value(pod.network) }]
        : [],
    );
  const one = (what: string, text: string, value: Parameters<typeof samples>[0]) =>
    family("counter", `container_network_${what}_total`, text, samples(value));
  return [
    one("receive_bytes", "Bytes received", (link) => link.rxBytes),
    one("receive_errors", "Errors while receiving", (link) => link.rxErrors),
    one("receive_packets", "Packets received", (link) => link.rxPackets),
    one("receive_packets_dropped", "Packets dropped on arrival", (link) => link.rxDropped),
    one("transmit_packets", "Packets transmitted", (link) => link.txPackets),
    one("transmit_packets_dropped", "Packets dropped on departure", (link) => link.txDropped),
    one("transmit_bytes", "Bytes transmitted", (link) => link.txBytes),
    one("transmit_errors", "Errors while transmitting", (link) => link.txErrors),
  ];
}

function quotaFamilies(measures: Measures): Family[] {
  const one = (name: string, help: string, value: Value) =>
    family(
      "counter",
      `container_cpu_cfs_${name}_total`,
      help,
      eachContainer(measures, value, identity),
    );
  return [
    one("periods", "Periods of the quota of processor time", ({ cgroup }) => cgroup.periods),
    one(
      "throttled_periods",
      "Periods in which the quota was used up",
      ({ cgroup }) => cgroup.throttledPeriods,
    ),
    one(
      "throttled_seconds",
      "Time for which the quota was used up",
      ({ cgroup }) => cgroup.throttledSeconds,
    ),
  ];
}

/** What the pod asks for, in a cgroup's numbers. */
function specFamilies({ pods }: Measures): Family[] {
  const samples = (value: (resources: any) => number | undefined) =>
    pods.flatMap((pod) =>
      pod.containers.flatMap((one): Sample[] => {
        const found = allContainers(pod.pod).find(({ name }) => name === one.name);
        const amount = value(found?.resources ?? {});
        if (amount === undefined) return [];
        const labels = { container: one.name, ...identity(one), ...podLabels(pod) };
        return [{ labels, value: amount }];
      }),
    );
  const gauge = (name: string, help: string, value: (resources: any) => number | undefined) =>
    family("gauge", `container_spec_${name}`, help, samples(value));
  const quota = ({ limits }: any) => {
    const cpu = amountIn(limits, "cpu");
    return cpu === undefined ? undefined : cpuQuota(cpu);
  };
  return [
    gauge(
      "memory_limit_bytes",
      "Limit of memory; 0 for none",
      ({ limits }) => amountIn(limits, "memory") ?? 0,
    ),
    gauge("cpu_quota", "Quota of processor time in a period", quota),
    gauge("cpu_period", "Period of that quota", (one) => (quota(one) ? cpuPeriod : undefined)),
    gauge("cpu_shares", "Weight among others", ({ requests }) =>
      cpuShares(amountIn(requests, "cpu") ?? 0),
    ),
  ];
}

export function containerMetrics(
  measures: Measures,
  machine: { cores: number; memoryBytes: number },
): Family[] {
  const gauge = (name: string, help: string, value: Value) =>
    family("gauge", `container_${name}`, help, eachContainer(measures, value, identity));
  const cpu = (one: ContainerMeasure) => ({ cpu: "total", ...identity(one) });
  return [
    family(
      "counter",
      "container_cpu_usage_seconds_total",
      "Cumulative cpu time consumed",
      eachContainer(measures, cpuOf, cpu),
    ),
    gauge("memory_working_set_bytes", "Current working set", memoryOf),
    gauge("memory_usage_bytes", "Memory in use, caches included", (one) => one.stats.memoryBytes),
    gauge("memory_rss", "Anonymous memory", (one) => one.stats.rssBytes),
    gauge("memory_cache", "File pages", ({ cgroup }) => cgroup.cacheBytes),
    gauge("memory_swap", "Swap in use", ({ cgroup }) => cgroup.swapBytes),
    gauge("memory_mapped_file", "Mapped file pages", ({ cgroup }) => cgroup.mappedBytes),
    gauge("processes", "Processes and threads", ({ cgroup }) => cgroup.processes),
    ...quotaFamilies(measures),
    ...specFamilies(measures),
    gauge("fs_usage_bytes", "Bytes of its own layer", (one) => one.stats.writtenBytes),
    gauge("start_time_seconds", "Start time since 1970", (one) => one.instance.startedAt / 1000),
    gauge("last_seen", "When it was last seen by this node", () => measures.at / 1000),
    ...networkFamilies(measures),
    family("gauge", "machine_cpu_cores", "Logical processors", [{ value: machine.cores }]),
    family("gauge", "machine_memory_bytes", "Memory of the machine", [
      { value: machine.memoryBytes },
    ]),
  ];
}
