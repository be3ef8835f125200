// What of claims decides how a VM's disks are opened. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { isReplicated } from "../replication/record.ts";

/** By their names, as `find` knows them. */
export function claimFacts(find: (name: string) => KubeObject | undefined) {
  return {
    isBlock: (name: string) => find(name)?.spec.volumeMode === "Block",
    isShared: (name: string) => find(name)?.spec.accessModes?.includes("ReadWriteMany") ?? false,
    isReplicated: (name: string) => isReplicated(find(name)),
    bytesOf: (name: string) => {
      const { spec, status } = find(name) ?? {};
      const asked = status?.capacity?.storage ?? spec?.resources?.requests?.storage;
      return asked === undefined ? undefined : parseQuantity(asked);
    },
  };
}
