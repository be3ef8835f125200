// Cgroups of version 2, where what a controller is set by is there once all levels above have handed it on.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const controllers = ["cpu", "memory", "pids", "cpuset", "io"];
const subtreeControl = "cgroup.subtree_control";

export class DelegatedCgroups {
  readonly #mount: string;
  /** Those that are on their way, by path. */
  readonly #making = new Map<string, Promise<void>>();

  constructor(mount: string) {
    this.#mount = mount;
  }

  /** Whoever sets something in it or makes others below it waits for all levels. Idempotent. */
  make(path: string): Promise<void> {
    const making =
      this.#making.get(path) ?? this.#make(path).finally(() => this.#making.delete(path));
    this.#making.set(path, making);
    return making;
  }

  async #make(path: string) {
    const folder = join(this.#mount, path);
    const handedOn = await readFile(join(folder, subtreeControl), "utf8").catch(() => "");
    // The last level is the last to hand on.
    if (handedOn.trim() !== "") return;
    await mkdir(folder, { recursive: true });
    const parts = path.split("/").filter(Boolean);
    for (let depth = 0; depth <= parts.length; depth++) {
      const file = join(this.#mount, ...parts.slice(0, depth), subtreeControl);
      for (const one of controllers) await writeFile(file, `+${one}`).catch(() => {});
    }
  }
}
