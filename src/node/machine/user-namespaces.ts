// Ranges of users that pods have to themselves (`hostUsers: false`): user 0 of such a pod is nobody on the machine,
// and nobody in another pod. A pod keeps its range in its own folder until that goes, so that it has the same after
// a restart, and no other pod has it meanwhile.
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../whole-file.ts";
import type { DiskWriter } from "../whole-file.ts";

/** As many users as a pod sees, 0 to 65535. */
export const rangeLength = 65_536;
/** The first range is the machine's own. */
const rangesMax = 1024;

/** The lowest range that nobody has: its first user on the machine. Pure. */
export function freeRange(taken: ReadonlySet<number>): number {
  for (let i = 1; i <= rangesMax; i++) {
    if (!taken.has(i * rangeLength)) return i * rangeLength;
  }
  throw new Error(`all ${rangesMax} ranges of users are taken by pods`);
}

/** What a file says; undefined for anything that is no range of ours. Pure. */
export function parseRange(text: string): number | undefined {
  try {
    const { hostId } = JSON.parse(text) as { hostId?: unknown };
    const isOurs =
      Number.isInteger(hostId) &&
      Number(hostId) % rangeLength === 0 &&
      Number(hostId) >= rangeLength &&
      Number(hostId) <= rangesMax * rangeLength;
    return isOurs ? Number(hostId) : undefined;
  } catch {
    return undefined;
  }
}

const fileName = "user-namespace.json";

export class UserNamespaces {
  /** Pod uid to the first user of its range. */
  readonly #ranges = new Map<string, number>();
  readonly #pods: string;
  readonly #disk: DiskWriter | undefined;

  /** `pods` is the folder of all pods' folders. */
  constructor(pods: string, disk?: DiskWriter) {
    this.#pods = pods;
    this.#disk = disk;
  }

  /** Reads what pods were given before. */
  async load() {
    for (const uid of await readdir(this.#pods).catch((): string[] => [])) {
      const text = await readFile(join(this.#pods, uid, fileName), "utf8").catch(() => "");
      const hostId = parseRange(text);
      if (hostId !== undefined) this.#ranges.set(uid, hostId);
    }
  }

  /** The pod's range; undefined while it has none. */
  of(podUid: string): number | undefined {
    return this.#ranges.get(podUid);
  }

  /** Gives the pod a range, on disk before anybody uses it. Throws when none is left. */
  async take(podUid: string) {
    if (this.#ranges.has(podUid)) return;
    const hostId = freeRange(new Set(this.#ranges.values()));
    this.#ranges.set(podUid, hostId);
    try {
      await mkdir(join(this.#pods, podUid), { recursive: true });
      const text = JSON.stringify({ hostId, length: rangeLength });
      await writeWhole(join(this.#pods, podUid, fileName), text, this.#disk);
    } catch (error) {
      this.#ranges.delete(podUid);
      throw error;
    }
  }

  /** The pod's folder is gone. */
  release(podUid: string) {
    this.#ranges.delete(podUid);
  }
}
