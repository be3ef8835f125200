// The cgroup of one container, below its pod's, for runtimes that have no other runtime make it: on cgroup v1 and v2.
import { access, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { settingsOf } from "./cgroups.ts";
import { DelegatedCgroups } from "./delegated-cgroups.ts";
import type { Version } from "./cgroups.ts";
import type { ContainerCgroups, Resources } from "../runtime.ts";

const v1Controllers = ["cpu", "cpuacct", "memory", "pids", "freezer", "blkio", "systemd"];
/** What was killed takes a moment to go. */
const removeTriesMax = 200;

const read = (file: string) => readFile(file, "utf8").catch(() => "");
const field = (text: string, name: string) =>
  Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);

class LinuxContainerCgroups implements ContainerCgroups {
  readonly #mount: string;
  readonly #version: Version;
  readonly #controllers: string[];
  readonly #delegated: DelegatedCgroups;

  constructor(mount: string, version: Version, controllers: string[]) {
    this.#mount = mount;
    this.#version = version;
    this.#controllers = controllers;
    this.#delegated = new DelegatedCgroups(mount);
  }

  #folder(controller: string, path: string) {
    return this.#version === "v2" ? join(this.#mount, path) : join(this.#mount, controller, path);
  }

  /** One for each hierarchy. */
  #folders(path: string): string[] {
    if (this.#version === "v2") return [join(this.#mount, path)];
    return this.#controllers.map((controller) => join(this.#mount, controller, path));
  }

  async make(path: string) {
    if (this.#version === "v2") {
      // What was counted before a controller was handed on stays counted above.
      await this.#delegated.make(dirname(path));
      await mkdir(join(this.#mount, path), { recursive: true });
      return [join(this.#mount, path, "cgroup.procs")];
    }
    const folders = this.#folders(path);
    await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
    // A thread that moves itself waits for nobody; for a whole process the kernel waits until all processors were seen.
    return folders.map((folder) => join(folder, "tasks"));
  }

  async limit(path: string, resources: Resources) {
    const { cpuShares, cpuQuota, memoryBytes, cpusetCpus } = resources;
    const limits = {
      ...(cpuShares !== undefined && { cpuShares }),
      ...(cpuQuota !== undefined && { cpuQuota }),
      ...(memoryBytes !== undefined && { memoryBytes }),
    };
    const settings = settingsOf(this.#version, limits);
    await Promise.all(
      settings.map(([controller, file, value]) =>
        writeFile(join(this.#folder(controller, path), file), value).catch(() => {}),
      ),
    );
    if (cpusetCpus) await this.#pin(path, cpusetCpus).catch(() => {});
  }

  async #pin(path: string, cpus: string) {
    if (this.#version === "v2") return writeFile(join(this.#mount, path, "cpuset.cpus"), cpus);
    let folder = join(this.#mount, "cpuset");
    for (const part of path.split("/").filter(Boolean)) {
      const above = folder;
      folder = join(folder, part);
      await mkdir(folder, { recursive: true });
      // On v1 a new one has none, and takes nobody before it has.
      for (const name of ["cpuset.cpus", "cpuset.mems"]) {
        if ((await read(join(folder, name))).trim() === "")
          await writeFile(join(folder, name), await read(join(above, name)));
      }
    }
    await writeFile(join(folder, "cpuset.cpus"), cpus);
    for (const pid of (await read(join(this.#mount, "pids", path, "cgroup.procs"))).split("\n"))
      if (pid) await writeFile(join(folder, "cgroup.procs"), pid);
  }

  async usage(path: string) {
    const isV2 = this.#version === "v2";
    const file = (controller: string, name: string) =>
      read(join(this.#folder(controller, path), name));
    const [cpu, used, memory] = await Promise.all([
      isV2 ? file("", "cpu.stat") : file("cpuacct", "cpuacct.usage"),
      isV2 ? file("", "memory.current") : file("memory", "memory.usage_in_bytes"),
      file("memory", "memory.stat"),
    ]);
    const memoryBytes = Number(used);
    const inactive = field(memory, isV2 ? "inactive_file" : "total_inactive_file");
    return {
      cpuNanoseconds: isV2 ? field(cpu, "usage_usec") * 1000 : Number(cpu),
      memoryBytes,
      workingSetBytes: Math.max(memoryBytes - inactive, 0),
      rssBytes: field(memory, isV2 ? "anon" : "total_rss"),
      // Its root is read-only.
      writtenBytes: 0,
      writtenInodes: 0,
    };
  }

  async ranOut(path: string) {
    const name = this.#version === "v2" ? "memory.events" : "memory.oom_control";
    return field(await read(join(this.#folder("memory", path), name)), "oom_kill") > 0;
  }

  async remove(path: string) {
    const pinned = this.#version === "v1" ? [join(this.#mount, "cpuset", path)] : [];
    for (const folder of [...this.#folders(path), ...pinned]) {
      for (let tries = 0; tries < removeTriesMax; tries++) {
        const gone = await rmdir(folder).then(
          () => true,
          (error) => error.code === "ENOENT",
        );
        if (gone) break;
      }
    }
  }
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

export async function containerCgroups(mount = "/sys/fs/cgroup"): Promise<ContainerCgroups> {
  if (await exists(join(mount, "cgroup.controllers")))
    return new LinuxContainerCgroups(mount, "v2", []);
  const there = await Promise.all(v1Controllers.map((one) => exists(join(mount, one))));
  return new LinuxContainerCgroups(
    mount,
    "v1",
    v1Controllers.filter((_, i) => there[i]),
  );
}
