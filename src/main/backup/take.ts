// What of a site goes into its backup: the objects as they stood at one revision, its certificates and keys,
// and its name and addresses. Leases and events are about the moment and stay out; so do images, what
// containers and volumes hold, and keys of Secrets, which a restored site makes anew.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "../../store/store.ts";
import type { BackupRecord } from "./records.ts";

const pageObjects = 500;

/** What of the data directory is kept. Also what a restore writes: nothing else gets out of a backup. */
export const isKeptFile = (path: string) =>
  /^(site\.json|pki\/[a-z0-9][a-z0-9.-]*\.pem)$/.test(path);

function filesOf(directory: string): string[] {
  const pki = readdirSync(join(directory, "pki")).map((name) => `pki/${name}`);
  return ["site.json", ...pki].filter(isKeptFile).sort();
}

export interface TakeOptions {
  directory: string;
  store: Store;
  /** `events/`: of keys that stay out. */
  volatile: string[];
}

/** Throws Compacted when the site's history ends before the backup does. */
export async function* takeBackup(options: TakeOptions): AsyncGenerator<BackupRecord> {
  const { directory, store, volatile } = options;
  const files = filesOf(directory).map((file) => ({
    file,
    body: readFileSync(join(directory, file)),
  }));
  const revision = store.revision();
  yield { revision };
  yield* files;
  let objects = 0;
  let after: string | undefined;
  do {
    const page = await store.list("", { revision, limit: pageObjects, ...(after && { after }) });
    for (const { key, value, revision: at } of page.entries) {
      if (volatile.some((prefix) => key.startsWith(prefix))) continue;
      objects++;
      yield { key, revision: at, body: value };
    }
    after = page.next;
  } while (after);
  yield { objects };
}
