// `kubelet_volume_stats_*`: how full the volumes of claims are, one sample for each claim. Pure.
import type { Family, Sample } from "../../lib/exposition.ts";
import type { PodMeasure } from "./measures.ts";
import type { VolumeMeasure } from "./volume-measures.ts";

type Value = (one: VolumeMeasure) => number | undefined;

const rows: [name: string, help: string, value: Value][] = [
  ["capacity_bytes", "Capacity in bytes of the volume", ({ bytes }) => bytes?.capacity],
  ["available_bytes", "Number of available bytes in the volume", ({ bytes }) => bytes?.available],
  ["used_bytes", "Number of used bytes in the volume", ({ bytes }) => bytes?.used],
  ["inodes", "Maximum number of inodes in the volume", ({ inodes }) => inodes?.capacity],
  ["inodes_free", "Number of free inodes in the volume", ({ inodes }) => inodes?.available],
  ["inodes_used", "Number of used inodes in the volume", ({ inodes }) => inodes?.used],
  [
    "health_status_abnormal",
    "1 when the volume's driver says that it ails",
    ({ isAbnormal }) => (isAbnormal === undefined ? undefined : Number(isAbnormal)),
  ],
];

export function volumeMetrics(pods: Pick<PodMeasure, "pod" | "volumes">[]): Family[] {
  const byClaim = new Map<string, [labels: Record<string, string>, measured: VolumeMeasure]>();
  for (const { pod, volumes } of pods) {
    const { namespace = "" } = pod.metadata;
    for (const one of volumes) {
      const labels = { namespace, persistentvolumeclaim: one.claim };
      byClaim.set(`${namespace}/${one.claim}`, [labels, one]);
    }
  }
  return rows.map(([name, help, value]) => ({
    name: `kubelet_volume_stats_${name}`,
    help,
    type: "gauge",
    samples: [...byClaim.values()].flatMap(([labels, one]): Sample[] => {
      const found = value(one);
      return found === undefined ? [] : [{ labels, value: found }];
    }),
  }));
}
