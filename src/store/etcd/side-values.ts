// What several servers must agree on before they can read the store: few values beside the objects, written
// once.
import type { Clock } from "../../lib/clock.ts";
import { parseEtcdAddress } from "./address.ts";
import { openEtcdClient } from "./etcd-client.ts";
import { besides } from "./layout.ts";

export interface SideValues {
  read(name: string): Promise<Buffer | undefined>;
  /** False when there is one already. */
  create(name: string, value: Buffer): Promise<boolean>;
  close(): void;
}

/** Throws an Error when the address cannot be read; its calls throw StoreUnavailable. */
export function openSideValues(text: string, clock: Clock): SideValues {
  const address = parseEtcdAddress(text);
  const client = openEtcdClient(address, clock);
  const keyOf = (name: string) => Buffer.from(address.prefix + besides + name);
  const read = async (name: string) => (await client.range({ key: keyOf(name) })).kvs[0]?.value;
  return {
    read,
    create: async (name, value) => {
      const key = keyOf(name);
      const compare = [{ result: 0, target: 2, key, modRevision: 0 }];
      const success = [{ requestPut: { key, value } }];
      const { succeeded } = await client.txn({ compare, success }, () => {});
      // After a lost answer it may be ours that stands there.
      return succeeded || (await read(name))?.equals(value) === true;
    },
    close: () => client.close(),
  };
}
