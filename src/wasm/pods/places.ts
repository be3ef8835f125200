// Where pods that are processes have their things on the machine, and what is written down of them. It lies on the disk, so
// that after a restart of Kerb what runs is known, and after one of the machine what is to be given back.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

const folders = ["sandboxes", "containers", "status", "told", "said", "shared", "seen"] as const;
type Folder = (typeof folders)[number];

export class Places {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    for (const folder of folders) {
      mkdirSync(join(root, folder), { recursive: true, mode: 0o700 });
    }
  }

  folder(folder: Folder) {
    return join(this.root, folder);
  }

  /** How the runner is, in bubblewrap's words. */
  status(id: string) {
    return join(this.root, "status", id);
  }

  /** The pipe by which a runner is told its program. */
  told(id: string) {
    return join(this.root, "told", id);
  }

  /** What Node itself said, which is nothing unless it broke. */
  said(id: string) {
    return join(this.root, "said", id);
  }

  /** What its runner sees, as files: the kernel gives a file a second name on the same mount only. */
  shared(id: string, ...names: string[]) {
    return join(this.root, "shared", id, ...names);
  }

  write(folder: "sandboxes" | "containers", id: string, record: object) {
    const file = join(this.root, folder, id);
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  /** As `write`, while others go on: the kernel takes a millisecond to put one file in another's place. */
  async replace(folder: "sandboxes", id: string, record: object) {
    const file = join(this.root, folder, id);
    await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  /** Of one that was cut off while it was written there is no record. */
  read<T>(folder: "sandboxes" | "containers"): T[] {
    const names = readdirSync(join(this.root, folder)).filter((name) => !name.endsWith(".new"));
    return names.flatMap((name) => {
      try {
        return [JSON.parse(readFileSync(join(this.root, folder, name), "utf8")) as T];
      } catch {
        return [];
      }
    });
  }

  /** Whether a container is known still. */
  isThere(id: string) {
    return existsSync(join(this.root, "containers", id));
  }

  forget(folder: "sandboxes" | "containers", id: string) {
    rmSync(join(this.root, folder, id), { force: true });
  }

  /** The same as its runner sees it, with what is mounted there. */
  seen(id: string, ...names: string[]) {
    return join(this.root, "seen", id, ...names);
  }

  #mounts(): string[] {
    return readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " "));
  }

  /** Whether what is mounted for runners is seen by them. */
  isShared(): boolean {
    return this.#mounts().includes(realpathSync(this.folder("seen")));
  }

  /** Where something is mounted for a runner, last mounted first. */
  mountsOf(id: string): string[] {
    const below = `${realpathSync(this.folder("seen"))}/${id}/`;
    return this.#mounts()
      .filter((path) => path.startsWith(below))
      .reverse();
  }

  /** All of a runner's, and nothing of a volume's: as long as one is mounted, the folder stays. */
  removeRunner(id: string) {
    if (this.mountsOf(id).length > 0) throw new Error(`a volume is mounted for ${id} still`);
    for (const file of [this.status(id), this.told(id), this.said(id)])
      rmSync(file, { force: true });
    rmSync(this.shared(id), { recursive: true, force: true });
  }
}
