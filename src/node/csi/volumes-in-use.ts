// The volumes that pods of this node may have mounted. The Node tells of one before it is mounted and until its
// driver has it back, so that it is not detached in between, whatever becomes of the pod's object.
import { join } from "node:path";
import { readdir } from "node:fs/promises";
import { isStatus } from "../../lib/status-error.ts";
import { readHeld } from "../volumes/held.ts";

/** By the name that `attachedName` gives. */
export class VolumesInUse {
  readonly #names = new Set<string>();
  /** Resolves when the Node tells of it. */
  onChange: () => Promise<void> = async () => {};

  names(): string[] {
    return [...this.#names].sort();
  }

  async add(name: string) {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    await this.#tell();
  }

  async remove(name: string) {
    if (this.#names.delete(name)) await this.#tell();
  }

  /** A server that is away detaches nothing, and is told when it is back. */
  async #tell() {
    await this.onChange().catch((error: unknown) => {
      if (!isStatus(error, "ServiceUnavailable", "Timeout", "NotFound")) throw error;
    });
  }

  /** What was held when Kerb ended; `pods` is the folder of all pods' folders. */
  async load(pods: string) {
    for (const uid of await readdir(pods).catch((): string[] => [])) {
      for (const { attached } of (await readHeld(join(pods, uid))).values()) {
        if (typeof attached === "string") this.#names.add(attached);
      }
    }
  }
}
