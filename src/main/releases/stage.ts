// A release comes as `npm pack` writes it: an archive whose package has everything in `dist` but the native parts,
// which it shares with the installation. It is staged beside what runs, whole or not at all.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { releasesFolder } from "./state.ts";
import type { Release } from "./state.ts";

const run = promisify(execFile);
const versionPattern = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

/** Where npm put what a release shares, and which version of it. */
function nativeParts(): { folder: string; lmdb: string } {
  const entry = createRequire(import.meta.url).resolve("lmdb");
  const at = entry.lastIndexOf("/node_modules/");
  const folder = entry.slice(0, at + "/node_modules".length);
  const { version } = JSON.parse(readFileSync(join(folder, "lmdb/package.json"), "utf8"));
  return { folder, lmdb: version };
}

/** Throws an Error that says why this is no release for this machine. */
function releaseIn(root: string): string {
  const read = (name: string) => {
    const path = join(root, name);
    if (!existsSync(path))
      throw new Error(`the archive is no release of Kerb: it has no package/${name}`);
    return readFileSync(path, "utf8");
  };
  const { name, version, dependencies } = JSON.parse(read("package.json"));
  if (name !== "kerb" || !versionPattern.test(version ?? "")) {
    throw new Error("the archive is no release of Kerb: its package.json says something else");
  }
  read("dist/kerb.js");
  const { lmdb } = nativeParts();
  if (dependencies?.lmdb === lmdb) return version;
  throw new Error(
    `release ${version} needs lmdb ${dependencies?.lmdb}, and here is ${lmdb}: install it with npm instead`,
  );
}

/** Unpacks an archive whose bytes are known to be right. */
export async function stageRelease(directory: string, archive: string): Promise<Release> {
  const folder = releasesFolder(directory);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const staging = mkdtempSync(join(folder, "staging-"));
  try {
    await run("tar", ["-xzf", archive, "-C", staging, "--no-same-owner"]).catch((error) => {
      const [said] = String(error.stderr || error.message)
        .trim()
        .split("\n");
      throw new Error(
        `the archive cannot be unpacked; a release is needed as npm pack writes it (${said})`,
      );
    });
    const version = releaseIn(join(staging, "package"));
    symlinkSync(nativeParts().folder, join(staging, "package/node_modules"));
    const place = join(folder, version);
    rmSync(place, { recursive: true, force: true });
    renameSync(staging, place);
    return { version, root: join(place, "package") };
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
}
