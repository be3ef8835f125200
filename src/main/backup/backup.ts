// `kerb backup`: asks the site that runs, itself or by way of its hub; of one that is stopped it reads the data.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { BackupOptions, BackupReport } from "../../cli/backup.ts";
import { proxyPath } from "../../hub/reach/protocol.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import { systemClock, timestamp } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { openLmdbStore } from "../../store/lmdb.ts";
import { askSiteIn } from "../commands/ask-site.ts";
import { kerbVersion } from "../config.ts";
import { findRunning } from "../run-file.ts";
import { openSecretKeys } from "../site/secret-keys.ts";
import { readSettings } from "../site/site-settings.ts";
import { writeBackup } from "./envelope.ts";
import { readPassphrase } from "./passphrase.ts";
import { backupPath, volatileOf } from "./plug.ts";
import { decodeRecords } from "./records.ts";
import type { BackupRecord } from "./records.ts";
import { takeBackup } from "./take.ts";

async function* ofStopped(directory: string): AsyncGenerator<BackupRecord> {
  const keys = openSecretKeys(directory, systemClock);
  const store = await openLmdbStore(join(directory, "store"), {
    clock: systemClock,
    log: silent,
    transform: (durable) => keys.seal(durable),
  });
  try {
    yield* takeBackup({ directory, store, volatile: volatileOf(builtinKinds()) });
  } finally {
    await store.close();
  }
}

async function* ofRunning(directory: string, path: string): AsyncGenerator<BackupRecord> {
  yield* decodeRecords(await askSiteIn(directory, "GET", path));
}

function recordsOf(directory: string, site: string | undefined): AsyncGenerator<BackupRecord> {
  if (findRunning(directory)) {
    return ofRunning(directory, site ? proxyPath(site) + backupPath : backupPath);
  }
  if (site) throw new Error(`no hub runs on ${directory}; start it with: kerb up --hub`);
  return ofStopped(directory);
}

export async function backupSite(file: string, options: BackupOptions): Promise<BackupReport> {
  const directory = resolve(options.dataDir);
  const settings = readSettings(directory);
  if (!settings) throw new Error(`there is no site in ${directory}`);
  if (settings.server) {
    throw new Error(`${directory} is a node of ${settings.server}: back up that site instead`);
  }
  if (settings.store && !options.site) {
    throw new Error(
      `the objects of this site are in ${settings.store}: back them up there (etcdctl snapshot save)`,
    );
  }
  if (!existsSync(join(directory, "store")) && !settings.store) {
    throw new Error(`${directory}/store is missing: there is nothing to back up`);
  }
  const passphrase = options.passphraseFile && readPassphrase(options.passphraseFile);
  const report: BackupReport = { objects: 0, encrypted: Boolean(passphrase) };
  async function* counted(): AsyncGenerator<BackupRecord> {
    for await (const record of recordsOf(directory, options.site)) {
      if ("objects" in record) report.objects = record.objects;
      yield record;
    }
  }
  const site = options.site ?? settings.name;
  const preamble = { site, created: timestamp(systemClock.now()), version: kerbVersion };
  const how = { preamble, ...(passphrase && { passphrase }) };
  await writeBackup(resolve(file), counted(), how);
  return report;
}
