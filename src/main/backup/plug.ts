// GET /kerb/backup: the running site's backup as records, for those who may everything.
import type { Kinds } from "../../kinds/kinds.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Plugs } from "../../server/policy.ts";
import { prefixOf } from "../../server/stored.ts";
import type { Store } from "../../store/store.ts";
import { encodeRecord } from "./records.ts";
import { takeBackup } from "./take.ts";

export const backupPath = "/kerb/backup";

/** Prefixes of keys that are about the moment. */
export const volatileOf = (kinds: Kinds) => [
  ...new Set(kinds.all().flatMap((kind) => (kind.volatile ? prefixOf(kind) : []))),
];

interface Parts {
  directory: string;
  store: Store;
  kinds: Kinds;
}

export function plugBackup(plugs: Plugs, { directory, store, kinds }: Parts) {
  async function* bytes() {
    const records = takeBackup({ directory, store, volatile: volatileOf(kinds) });
    for await (const record of records) yield encodeRecord(record);
  }
  plugs.paths.set(backupPath, async ({ method }) => {
    if (method !== "GET")
      throw new StatusError("MethodNotAllowed", "a backup is asked for with GET");
    return { code: 200, headers: { "content-type": "application/octet-stream" }, stream: bytes() };
  });
}

/** What etcd holds is backed up by etcd's own means. */
export function plugNoBackup(plugs: Plugs) {
  plugs.paths.set(backupPath, () => {
    const message =
      "the objects of this site are in etcd: back them up there (etcdctl snapshot save)";
    throw new StatusError("NotImplemented", message);
  });
}
