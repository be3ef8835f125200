// `kerb restore`: makes a data directory anew from a backup. Everything is made in DIR/restoring and moved to its
// place when the whole backup was read and found true, site.json last. Cut short anywhere, DIR is no site, `kerb
// up` refuses it, and the same command does all of it again.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RestoreOptions, RestoreReport } from "../../cli/restore.ts";
import { systemClock } from "../../lib/clock.ts";
import { importLmdbStore } from "../../store/lmdb-import.ts";
import type { Entry } from "../../store/store.ts";
import { ownDirectory, replaceFile } from "../files.ts";
import { openSecretKeys } from "../site/secret-keys.ts";
import { readSettings, restoringFolder } from "../site/site-settings.ts";
import { openBackup } from "./envelope.ts";
import type { OpenBackup } from "./envelope.ts";
import { readPassphrase } from "./passphrase.ts";
import { DamagedBackup } from "./records.ts";
import { isKeptFile } from "./take.ts";

/** In the order in which they are moved: a directory with site.json is a site. */
const parts = ["pki", "keys", "store", "site.json"];

/** Clears what an earlier try left; refuses a directory in which anything else is. */
function makeRoom(directory: string) {
  ownDirectory(directory);
  if (existsSync(join(directory, restoringFolder))) {
    if (existsSync(join(directory, "site.json"))) throw new Error(`${directory} holds a site`);
    for (const part of [...parts, restoringFolder]) {
      rmSync(join(directory, part), { recursive: true, force: true });
    }
  }
  const [found] = readdirSync(directory).filter((name) => name !== "lost+found");
  if (found === undefined) return;
  throw new Error(
    `${directory} is not empty (${found}): a backup is restored to an empty directory only`,
  );
}

async function unpack({ records }: OpenBackup, folder: string): Promise<number> {
  const stream = records[Symbol.asyncIterator]();
  const first = await stream.next();
  if (first.done || !("revision" in first.value) || "key" in first.value) {
    throw new DamagedBackup("its revision is missing");
  }
  const { revision } = first.value;
  if (!Number.isSafeInteger(revision) || revision < 0)
    throw new DamagedBackup("its revision is none");
  let objects = 0;
  async function* entries(): AsyncGenerator<Entry> {
    for await (const record of { [Symbol.asyncIterator]: () => stream }) {
      if ("file" in record) {
        if (!isKeptFile(record.file)) throw new DamagedBackup(`it has a file ${record.file}`);
        replaceFile(join(folder, record.file), Buffer.from(record.body).toString());
      } else if ("key" in record) {
        const { key, revision: at, body } = record;
        if (!Number.isSafeInteger(at) || at < 1 || at > revision || typeof key !== "string") {
          throw new DamagedBackup("an object's revision is none");
        }
        yield { key, revision: at, value: body };
      } else if ("objects" in record) objects = record.objects;
    }
  }
  const keys = openSecretKeys(folder, systemClock);
  const transform = keys.seal.bind(keys);
  await importLmdbStore(join(folder, "store"), entries(), { revision, transform });
  return objects;
}

/** Moves what is whole to its place. */
function settleIn(directory: string, folder: string) {
  for (const part of parts) {
    if (existsSync(join(folder, part))) renameSync(join(folder, part), join(directory, part));
  }
  rmSync(folder, { recursive: true });
}

export async function restoreSite(file: string, options: RestoreOptions): Promise<RestoreReport> {
  const directory = resolve(options.dataDir);
  const passphrase = options.passphraseFile && readPassphrase(options.passphraseFile);
  const backup = await openBackup(resolve(file), passphrase);
  makeRoom(directory);
  const folder = join(directory, restoringFolder);
  mkdirSync(folder, { mode: 0o700 });
  try {
    const objects = await unpack(backup, folder);
    const settings = readSettings(folder);
    if (!settings) throw new DamagedBackup("its site.json is missing");
    settleIn(directory, folder);
    return { site: settings.name, created: backup.preamble.created, objects };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
