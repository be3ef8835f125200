// A guest that a full disk stopped goes on when there is room again. QEMU repeats the write that failed.
import { statfs } from "node:fs/promises";
import type { Vm } from "./vm.ts";
import { noSpace } from "./vm.ts";
import { waitedBy } from "./replication/standing-still.ts";

/** Worth a try. */
const roomBytesMin = 256 * 2 ** 10;
/** One that goes on for so long has found room. */
const wellMs = 10_000;

/** What is free where the least is; a folder that is not there has none of its disks. */
async function leastFree(folders: string[]): Promise<number> {
  const free = await Promise.all(
    folders.map((folder) =>
      statfs(folder).then(
        ({ bavail, bsize }) => bavail * bsize,
        () => Infinity,
      ),
    ),
  );
  return Math.min(...free);
}

export class Shortage {
  readonly #free: (folders: string[]) => Promise<number>;
  /** Of bytes, as the guest stopped although there was room. */
  #tooLittle = 0;
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(free = leastFree) {
    this.#free = free;
  }

  /** Asked again and again. `folders`: where its disks lie. True while there is no room. */
  async look(vm: Vm, folders: () => Promise<string[]>, now: number): Promise<boolean> {
    if (vm.stopReason !== noSpace) {
      if (now - this.#triedAt > wellMs) this.#tooLittle = 0;
      return false;
    }
    const free = await this.#free(await folders());
    if (now - this.#triedAt <= wellMs) this.#tooLittle = Math.max(this.#tooLittle, free);
    const isRoom = free >= this.#tooLittle + roomBytesMin;
    if (!isRoom || waitedBy(vm).length > 0) return true;
    this.#triedAt = now;
    await vm.qmp.execute("cont");
    return false;
  }
}
