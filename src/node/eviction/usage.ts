// What pods hold of the node's memory, disk and process numbers, measured when somebody asks.
import { join } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import type { AgentContext } from "../context.ts";
import { logDirectory, podDirectory } from "../directories.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import type { Stats } from "../runtime.ts";
import type { DiskUse } from "./local-limits.ts";
import type { PodUse } from "./plan.ts";

interface Folder {
  bytes: number;
  inodes: number;
}

const nothing: Folder = { bytes: 0, inodes: 0 };

/** What lies below a folder, within its own filesystem; nothing when it is not there. */
async function measure(path: string): Promise<Folder> {
  const total = async (...flags: string[]) =>
    Number((await runCommand("du", ["-s", "-x", ...flags, path])).split("\t")[0]);
  try {
    const [bytes, inodes] = await Promise.all([total("--block-size=1"), total("--inodes")]);
    return { bytes, inodes };
  } catch {
    // Files that vanish meanwhile make du fail; the next look will tell.
    return nothing;
  }
}

export interface Measured {
  disk: DiskUse;
  inodes: number;
}

const byContainer = (stats: Stats[]) => new Map(stats.map((one) => [one.containerId, one]));

/** The emptyDirs on disk, the layers and the logs of one pod. */
export async function diskUseOf(
  { directories }: AgentContext,
  { pod, instances }: PodWorker,
  stats: Map<string, Stats>,
): Promise<Measured> {
  let inodes = 0;
  const of = async (path: string) => {
    const found = await measure(path);
    inodes += found.inodes;
    return found.bytes;
  };
  const volumes = new Map<string, number>();
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    if (!emptyDir || emptyDir.medium === "Memory") continue;
    const folder = join(podDirectory(directories, pod.metadata.uid), "volumes", name);
    volumes.set(name, await of(folder));
  }
  const containers = new Map<string, number>();
  for (const [name, { id }] of instances.newest) {
    const { writtenBytes = 0, writtenInodes = 0 } = stats.get(id) ?? {};
    inodes += writtenInodes;
    containers.set(name, writtenBytes + (await of(join(logDirectory(directories, pod), name))));
  }
  return { disk: { volumes, containers }, inodes };
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0);

/** One pod in full; its disk only when that is what runs short, since it means walking folders. */
export async function podUse(
  context: AgentContext,
  worker: PodWorker,
  { stats, withDisk }: { stats: Map<string, Stats>; withDisk: boolean },
): Promise<PodUse> {
  const { pod, instances } = worker;
  const measured = withDisk ? await diskUseOf(context, worker, stats) : undefined;
  const containers = [...instances.newest].map(([name, { id }]) => ({
    name,
    memory: stats.get(id)?.workingSetBytes ?? 0,
    disk: measured?.disk.containers.get(name) ?? 0,
  }));
  const volumes = sum(measured?.disk.volumes.values() ?? []);
  return {
    pod,
    memory: sum(containers.map(({ memory }) => memory)),
    disk: volumes + sum(containers.map(({ disk }) => disk)),
    inodes: measured?.inodes ?? 0,
    pids: await context.cgroups.processes(pod),
    containers,
  };
}

export async function containerStats({ runtime }: AgentContext) {
  return byContainer(await runtime.stats());
}
