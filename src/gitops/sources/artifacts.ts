// What sources have brought: in memory as files, and on disk as their last good copies, from which a site that
// starts without a network goes on.
import { filesOf } from "../files.ts";
import type { Files } from "../files.ts";
import type { GitOpsHost } from "../host.ts";

export interface Artifact {
  revision: string;
  files: Files;
}

export class Artifacts {
  readonly #copies: GitOpsHost["copies"];
  readonly #known = new Map<string, Artifact>();

  constructor(copies: GitOpsHost["copies"]) {
    this.#copies = copies;
  }

  /** Undefined when nothing was ever brought, or the copy on disk is of no use. */
  get(uid: string): Artifact | undefined {
    const known = this.#known.get(uid);
    if (known) return known;
    try {
      const copy = this.#copies.read(uid);
      if (!copy) return undefined;
      const artifact = { revision: copy.revision, files: filesOf(copy.archive) };
      this.#known.set(uid, artifact);
      return artifact;
    } catch {
      return undefined;
    }
  }

  /** Throws when the archive is damaged; then nothing changes. */
  put(uid: string, revision: string, archive: Uint8Array): Artifact {
    const artifact = { revision, files: filesOf(archive) };
    this.#copies.write(uid, { revision, archive });
    this.#known.set(uid, artifact);
    return artifact;
  }

  forget(uid: string) {
    this.#known.delete(uid);
    this.#copies.remove(uid);
  }
}
