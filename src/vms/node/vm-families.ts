// What the node's `/metrics` tells of its VMs, by the names that KubeVirt's dashboards ask for.
import type { Family, Sample } from "../../lib/exposition.ts";
import type { PodUse } from "../../lib/node-connection.ts";
import { balloonPath } from "../qemu/device-arguments.ts";
import { diskDevice } from "../qemu/disk-arguments.ts";
import type { QemuProcesses, QemuTimes } from "./qemu-times.ts";
import type { Vm } from "./vm.ts";

/** The guest is asked by its balloon this often, once somebody asked here. */
const pollingSeconds = 10;
/** QEMU's word for what the guest did not say is the largest of its numbers. */
const unsaidFrom = 2 ** 60;

export interface VmLook {
  vm: Vm;
  used: PodUse | undefined;
  disks: { drive: string; stats: Record<string, number> }[];
  balloonBytes: number | undefined;
  /** By QEMU's names. */
  guest: Record<string, number>;
  /** What processors did for it, where QEMU was found. */
  times: QemuTimes | undefined;
}

type Values = [
  name: string,
  type: Family["type"],
  help: string,
  value: (look: VmLook) => number | undefined,
];
type Each = [name: string, type: Family["type"], help: string, field: string, unit?: number];

const nanoseconds = 1e-9;

const values: Values[] = [
  [
    "cpu_usage_seconds_total",
    "counter",
    "Total CPU time spent in all modes",
    ({ used }) => used && used.cpuNanoseconds * nanoseconds,
  ],
  [
    "cpu_user_usage_seconds_total",
    "counter",
    "CPU time spent in user mode",
    ({ times }) => times?.userSeconds,
  ],
  [
    "cpu_system_usage_seconds_total",
    "counter",
    "CPU time spent in system mode",
    ({ times }) => times?.systemSeconds,
  ],
  [
    "memory_resident_bytes",
    "gauge",
    "Memory of the process running the domain",
    ({ used }) => used?.workingSetBytes,
  ],
  [
    "memory_domain_bytes",
    "gauge",
    "Memory allocated to the domain",
    ({ vm }) => vm.domain.memoryBytes,
  ],
  [
    "memory_actual_balloon_bytes",
    "gauge",
    "Current size of the balloon",
    (look) => look.balloonBytes,
  ],
  ...(
    [
      ["memory_available_bytes", "gauge", "Memory that the guest sees", "stat-total-memory"],
      ["memory_unused_bytes", "gauge", "Memory that the guest leaves unused", "stat-free-memory"],
      ["memory_usable_bytes", "gauge", "Memory usable without swapping", "stat-available-memory"],
      ["memory_cached_bytes", "gauge", "Memory that caches disks", "stat-disk-caches"],
      ["memory_pgmajfault_total", "counter", "Page faults with a disk", "stat-major-faults"],
      ["memory_pgminfault_total", "counter", "Page faults without one", "stat-minor-faults"],
      ["memory_swap_in_traffic_bytes", "gauge", "Memory swapped in", "stat-swap-in"],
      ["memory_swap_out_traffic_bytes", "gauge", "Memory swapped out", "stat-swap-out"],
    ] as const
  ).map(([name, type, help, field]): Values => [name, type, help, ({ guest }) => guest[field]]),
];

const ofDisks: Each[] = [
  ["storage_iops_read_total", "counter", "Reads", "rd_operations"],
  ["storage_iops_write_total", "counter", "Writes", "wr_operations"],
  ["storage_read_traffic_bytes_total", "counter", "Bytes read", "rd_bytes"],
  ["storage_write_traffic_bytes_total", "counter", "Bytes written", "wr_bytes"],
  [
    "storage_read_times_seconds_total",
    "counter",
    "Time spent reading",
    "rd_total_time_ns",
    nanoseconds,
  ],
  [
    "storage_write_times_seconds_total",
    "counter",
    "Time spent writing",
    "wr_total_time_ns",
    nanoseconds,
  ],
  ["storage_flush_requests_total", "counter", "Flushes", "flush_operations"],
  [
    "storage_flush_times_seconds_total",
    "counter",
    "Time spent flushing",
    "flush_total_time_ns",
    nanoseconds,
  ],
];

const ofVcpus: [name: string, help: string, field: "runSeconds" | "delaySeconds", more: object][] =
  [
    ["vcpu_seconds_total", "Time of each vCPU, by its state", "runSeconds", { state: "running" }],
    ["vcpu_delay_seconds_total", "Time of each vCPU ready while others ran", "delaySeconds", {}],
  ];

const ofTraffic: [name: string, help: string, field: keyof NonNullable<PodUse["network"]>][] = [
  ["network_receive_bytes_total", "Bytes received", "rxBytes"],
  ["network_receive_packets_total", "Packets received", "rxPackets"],
  ["network_receive_errors_total", "Errors in receiving", "rxErrors"],
  ["network_receive_packets_dropped_total", "Packets dropped in receiving", "rxDropped"],
  ["network_transmit_bytes_total", "Bytes sent", "txBytes"],
  ["network_transmit_packets_total", "Packets sent", "txPackets"],
  ["network_transmit_errors_total", "Errors in sending", "txErrors"],
  ["network_transmit_packets_dropped_total", "Packets dropped in sending", "txDropped"],
];

const prefix = "kubevirt_vmi_";

/** Pure. */
export function vmFamilies(node: string, looks: VmLook[]): Family[] {
  const labelsOf = ({ vm }: VmLook, more: Record<string, string> = {}) => ({
    ...{ node, namespace: vm.options.namespace, name: vm.domain.name },
    ...more,
  });
  const family = (name: string, type: Family["type"], help: string, samples: Sample[]) => ({
    ...{ name: prefix + name, type, help: `${help}.`, samples },
  });
  return [
    family(
      "info",
      "gauge",
      "Instances on this node; always 1",
      looks.map((look) => ({
        labels: labelsOf(look, { phase: "running", vmi_pod: look.vm.options.podName }),
        value: 1,
      })),
    ),
    ...values.map(([name, type, help, valueOf]) =>
      family(
        name,
        type,
        help,
        looks.flatMap((look) => {
          const value = valueOf(look);
          return value === undefined ? [] : [{ labels: labelsOf(look), value }];
        }),
      ),
    ),
    ...ofDisks.map(([name, type, help, field, unit = 1]) =>
      family(
        name,
        type,
        help,
        looks.flatMap((look) =>
          look.disks.map(({ drive, stats }) => ({
            labels: labelsOf(look, { drive }),
            value: (stats[field] ?? 0) * unit,
          })),
        ),
      ),
    ),
    ...ofVcpus.map(([name, help, field, more]) =>
      family(
        name,
        "counter",
        help,
        looks.flatMap((look) =>
          (look.times?.vcpus ?? []).map((vcpu) => ({
            labels: labelsOf(look, { id: String(vcpu.id), ...more }),
            value: vcpu[field],
          })),
        ),
      ),
    ),
    ...ofTraffic.map(([name, help, field]) =>
      family(
        name,
        "counter",
        help,
        looks.flatMap((look) => {
          const value = look.used?.network?.[field];
          const [first] = look.vm.domain.interfaces;
          if (value === undefined || !first) return [];
          return [{ labels: labelsOf(look, { interface: first.name }), value }];
        }),
      ),
    ),
  ];
}

/** Asks QEMU, and the kernel of its process; what they do not answer is left out. */
export async function lookAt(
  vm: Vm,
  used: PodUse | undefined,
  processes: Pick<QemuProcesses, "times">,
): Promise<VmLook> {
  const ask = (command: string, options?: object): Promise<any> =>
    vm.qmp.execute(command, options).catch(() => undefined);
  const of = { path: balloonPath, property: "guest-stats" };
  const polling = { ...of, property: "guest-stats-polling-interval" };
  if (vm.domain.balloon && (await ask("qom-get", polling)) === 0) {
    await ask("qom-set", { ...polling, value: pollingSeconds });
  }
  const [threads, blocks, balloon, guest] = await Promise.all([
    ask("query-cpus-fast"),
    ask("query-blockstats"),
    vm.domain.balloon ? ask("query-balloon") : undefined,
    vm.domain.balloon ? ask("qom-get", of) : undefined,
  ]);
  // What guests ask for is counted at their devices, which have a path each.
  const ofDevice = (id: string) =>
    (blocks ?? []).find(({ qdev = "" }: any) => String(qdev).split("/").includes(id));
  const said = Object.entries<number>(guest?.stats ?? {}).filter(([, value]) => value < unsaidFrom);
  return {
    times: threads && (await processes.times(vm.options.podUid, threads)),
    ...{ vm, used, balloonBytes: balloon?.actual, guest: Object.fromEntries(said) },
    disks: vm.domain.disks.flatMap(({ name }) => {
      const found = ofDevice(diskDevice(name));
      return found ? [{ drive: name, stats: found.stats }] : [];
    }),
  };
}
