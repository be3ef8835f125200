// Last good copies of sources: DIR/gitops/copies/UID, a line with the revision and its digest, then the archive.
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { treeBytesMax } from "../../gitops/files.ts";
import type { GitOpsHost } from "../../gitops/host.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export function copiesIn(directory: string): GitOpsHost["copies"] {
  const folder = join(directory, "copies");
  const pathOf = (id: string) => join(folder, id);
  return {
    /** Undefined for one that is damaged too: the source brings it again. */
    read(id) {
      try {
        const bytes = readFileSync(pathOf(id));
        const end = bytes.indexOf(10);
        const { revision, digest } = JSON.parse(bytes.toString("utf8", 0, end));
        const packed = bytes.subarray(end + 1);
        if (sha256(packed) !== digest) return undefined;
        return { revision, archive: gunzipSync(packed, { maxOutputLength: 2 * treeBytesMax }) };
      } catch {
        return undefined;
      }
    },
    write(id, { revision, archive }) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const packed = gzipSync(archive);
      const file = openSync(`${pathOf(id)}.new`, "w", 0o600);
      try {
        writeSync(file, `${JSON.stringify({ revision, digest: sha256(packed) })}\n`);
        writeSync(file, packed);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(`${pathOf(id)}.new`, pathOf(id));
    },
    remove(id) {
      rmSync(pathOf(id), { force: true });
      rmSync(join(directory, "git", id), { recursive: true, force: true });
    },
  };
}
