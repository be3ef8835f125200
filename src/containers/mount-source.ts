// What a container that runs has mounted, as its bundle says it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const tasks = "state/io.containerd.runtime.v2.task/k8s.io";

/** The host's path behind a path of the container; undefined when nothing is mounted there. */
export async function mountSourceOf(
  directory: string,
  containerId: string,
  path: string,
): Promise<string | undefined> {
  const text = await readFile(join(directory, tasks, containerId, "config.json"), "utf8");
  const mounts: { destination: string; source?: string }[] = JSON.parse(text).mounts ?? [];
  return mounts.find(({ destination }) => destination === path)?.source;
}
