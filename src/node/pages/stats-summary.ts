// `/stats/summary`: v1alpha1 Summary of the kubelet's stats API. Pure.
import { timestamp } from "../../lib/clock.ts";
import type { Reading } from "../eviction/signals.ts";
import type { InterfaceUse } from "./interfaces.ts";
import type { VolumeMeasure } from "./volume-measures.ts";
import type { ContainerMeasure, Measures, PodMeasure } from "./measures.ts";

type Any = Record<string, any>;

const cpu = (time: string, total: number, nanoCores: number | undefined): Any => ({
  time,
  ...(nanoCores !== undefined && { usageNanoCores: nanoCores }),
  usageCoreNanoSeconds: total,
});

const finite = ({ available, capacity }: Reading) =>
  Number.isFinite(capacity) ? { available, capacity } : { available: 0, capacity: 0 };

function disk(time: string, bytes: Reading, inodes: Reading): Any {
  const [space, nodes] = [finite(bytes), finite(inodes)];
  return {
    time,
    availableBytes: space.available,
    capacityBytes: space.capacity,
    usedBytes: space.capacity - space.available,
    inodesFree: nodes.available,
    inodes: nodes.capacity,
    inodesUsed: nodes.capacity - nodes.available,
  };
}

const told = ({ name, rxBytes, rxErrors, txBytes, txErrors }: InterfaceUse) => ({
  name,
  rxBytes,
  rxErrors,
  txBytes,
  txErrors,
});

const network = (time: string, interfaces: InterfaceUse[]): Any => ({
  time,
  ...(interfaces[0] && told(interfaces[0])),
  interfaces: interfaces.map(told),
});

function container(time: string, { name, instance, stats, nanoCores }: ContainerMeasure): Any {
  return {
    name,
    startTime: timestamp(instance.startedAt),
    cpu: cpu(time, stats.cpuNanoseconds, nanoCores),
    memory: {
      time,
      usageBytes: stats.memoryBytes,
      workingSetBytes: stats.workingSetBytes,
      ...(stats.rssBytes !== undefined && { rssBytes: stats.rssBytes }),
    },
    rootfs: { time, usedBytes: stats.writtenBytes ?? 0, inodesUsed: stats.writtenInodes ?? 0 },
  };
}

const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);

function volume(time: string, namespace: string | undefined, measured: VolumeMeasure): Any {
  const { name, claim, bytes, inodes, isAbnormal } = measured;
  return {
    time,
    ...(bytes && {
      availableBytes: bytes.available,
      capacityBytes: bytes.capacity,
      usedBytes: bytes.used,
    }),
    ...(inodes && {
      inodesFree: inodes.available,
      inodes: inodes.capacity,
      inodesUsed: inodes.used,
    }),
    name,
    pvcRef: { name: claim, namespace },
    ...(isAbnormal !== undefined && { volumeHealthStats: { abnormal: isAbnormal } }),
  };
}

function pod(time: string, measured: PodMeasure) {
  const { containers, volumes, network: link } = measured;
  const { metadata, status } = measured.pod;
  const { name, namespace, uid } = metadata;
  const nanoCores = containers.map((one) => one.nanoCores);
  const known = nanoCores.every((one) => one !== undefined) ? sum(nanoCores) : undefined;
  const stats = containers.map((one) => one.stats);
  return {
    podRef: { name, namespace, uid },
    startTime: status?.startTime ?? null,
    containers: containers.map((one) => container(time, one)),
    cpu: cpu(time, sum(stats.map(({ cpuNanoseconds }) => cpuNanoseconds)), known),
    memory: {
      time,
      usageBytes: sum(stats.map(({ memoryBytes }) => memoryBytes)),
      workingSetBytes: sum(stats.map(({ workingSetBytes }) => workingSetBytes)),
    },
    ...(link && { network: network(time, [link]) }),
    ...(volumes.length > 0 && { volume: volumes.map((one) => volume(time, namespace, one)) }),
    "ephemeral-storage": { time, usedBytes: sum(stats.map((one) => one.writtenBytes ?? 0)) },
  };
}

export function statsSummary(nodeName: string, measures: Measures): Any {
  const { readings, pods, workingSetBytes, interfaces } = measures;
  const time = timestamp(measures.at);
  const memory = readings["memory.available"];
  const nodefs = disk(time, readings["nodefs.available"], readings["nodefs.inodesFree"]);
  const imagefs = disk(time, readings["imagefs.available"], readings["imagefs.inodesFree"]);
  const pids = finite(readings["pid.available"]);
  return {
    node: {
      nodeName,
      startTime: timestamp(measures.startedAt),
      cpu: cpu(time, measures.cpuNanoseconds, measures.nanoCores),
      memory: {
        time,
        availableBytes: finite(memory).available,
        usageBytes: workingSetBytes,
        workingSetBytes,
      },
      network: network(time, interfaces),
      fs: nodefs,
      runtime: { imageFs: imagefs },
      rlimit: { time, maxpid: pids.capacity, curproc: pids.capacity - pids.available },
    },
    pods: pods.filter(({ containers }) => containers.length > 0).map((one) => pod(time, one)),
  };
}
