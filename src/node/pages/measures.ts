// What the node's pages tell of, measured when somebody asks: the machine, each pod, each container. Rates need
// two looks, so the last one is kept.
import { readFile } from "node:fs/promises";
import type { CgroupUsage } from "../machine/cgroup-usage.ts";
import type { Cgroups } from "../machine/cgroups.ts";
import type { CsiDrivers } from "../csi/drivers.ts";
import type { Clock } from "../../lib/clock.ts";
import { readSignals } from "../eviction/signals.ts";
import type { Readings } from "../eviction/signals.ts";
import { machineUsage } from "../machine/machine-usage.ts";
import type { Instance } from "../pods/instances.ts";
import type { Pod } from "../pods/pod.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import type { Runtime, Stats } from "../runtime.ts";
import { measureVolumes } from "./volume-measures.ts";
import type { VolumeMeasure } from "./volume-measures.ts";
import { defaultInterface, interfacesByAddress, parseInterfaces } from "./interfaces.ts";
import type { InterfaceUse } from "./interfaces.ts";

export interface ContainerMeasure {
  name: string;
  instance: Instance;
  stats: Stats;
  cgroup: CgroupUsage;
  /** Absent at the first look. */
  nanoCores?: number;
}

export interface PodMeasure {
  pod: Pod;
  containers: ContainerMeasure[];
  /** The machine's end of the pod's link, as the pod sees it. */
  network?: InterfaceUse;
  volumes: VolumeMeasure[];
}

export interface Measures {
  at: number;
  startedAt: number;
  cpuNanoseconds: number;
  nanoCores?: number;
  workingSetBytes: number;
  readings: Readings;
  interfaces: InterfaceUse[];
  pods: PodMeasure[];
}

interface Look {
  monotonic: number;
  machine: number;
  containers: Map<string, number>;
}

export interface MeasureOptions {
  cgroups: Pick<Cgroups, "usage">;
  runtime: Runtime;
  csi: CsiDrivers | undefined;
  clock: Clock;
  directory: string;
  workers: () => Iterable<PodWorker>;
}

/** Cores in billionths, between two totals of nanoseconds. Pure. */
export function rate(before: number | undefined, now: number, elapsedMs: number) {
  if (before === undefined || elapsedMs <= 0 || now < before) return undefined;
  return Math.round(((now - before) / (elapsedMs * 1e6)) * 1e9);
}

const read = (path: string) => readFile(path, "utf8").catch(() => "");

export class Measurer {
  readonly #options: MeasureOptions;
  #last: Look | undefined;

  constructor(options: MeasureOptions) {
    this.#options = options;
  }

  async look(): Promise<Measures> {
    const { runtime, cgroups, csi, clock, directory, workers } = this.#options;
    const all = [...workers()];
    const [machine, stats, readings, devices, routes, uptime, volumes] = await Promise.all([
      machineUsage(),
      runtime.stats(),
      readSignals(directory),
      read("/proc/net/dev"),
      read("/proc/net/route"),
      read("/proc/uptime"),
      Promise.all(all.map((one) => measureVolumes(csi, one.volumes))),
    ]);
    const interfaces = parseInterfaces(devices);
    const byAddress = interfacesByAddress(routes);
    const monotonic = clock.monotonic();
    const elapsedMs = monotonic - (this.#last?.monotonic ?? monotonic);
    const before = this.#last;
    const byId = new Map(stats.map((one) => [one.containerId, one]));
    const pods = all.map(async ({ pod, instances }, place): Promise<PodMeasure> => {
      const measured = [...instances.newest].map(async ([name, instance]) => {
        const found = byId.get(instance.id);
        if (!found) return [];
        const total = before?.containers.get(instance.id);
        const nanoCores = rate(total, found.cpuNanoseconds, elapsedMs);
        const cgroup = await cgroups.usage(pod, instance.id);
        const known = nanoCores !== undefined && { nanoCores };
        return [{ name, instance, stats: found, cgroup, ...known }];
      });
      const containers = (await Promise.all(measured)).flat();
      const link = byAddress.get(instances.sandbox?.ips[0] ?? "");
      const network = interfaces.find(({ name }) => name === link);
      return {
        pod,
        containers,
        volumes: volumes[place] ?? [],
        ...(network && { network: seenFromInside(network) }),
      };
    });
    const nanoCores = rate(before?.machine, machine.cpuNanoseconds, elapsedMs);
    this.#last = {
      monotonic,
      machine: machine.cpuNanoseconds,
      containers: new Map(stats.map((one) => [one.containerId, one.cpuNanoseconds])),
    };
    const at = clock.now();
    return {
      at,
      startedAt: at - Number(uptime.split(" ")[0]) * 1000,
      ...machine,
      ...(nanoCores !== undefined && { nanoCores }),
      readings,
      interfaces: outwardFirst(interfaces, routes),
      pods: await Promise.all(pods),
    };
  }
}

/** The one that leads out comes first. */
function outwardFirst(interfaces: InterfaceUse[], routes: string): InterfaceUse[] {
  const outward = defaultInterface(routes);
  const rank = ({ name }: InterfaceUse) => (name === outward ? 0 : 1);
  return interfaces.filter(({ name }) => name !== "lo").sort((a, b) => rank(a) - rank(b));
}

/** What one end of a link sends, the other receives. */
const seenFromInside = (use: InterfaceUse): InterfaceUse => ({
  name: "eth0",
  rxBytes: use.txBytes,
  rxErrors: use.txErrors,
  rxPackets: use.txPackets,
  rxDropped: use.txDropped,
  txBytes: use.rxBytes,
  txErrors: use.rxErrors,
  txPackets: use.rxPackets,
  txDropped: use.rxDropped,
});
