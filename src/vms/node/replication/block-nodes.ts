// What QEMU has of disks, filters and links, each once.
import type { Vm } from "../vm.ts";

export const blockNodes = (vm: Vm): Promise<any[]> =>
  vm.qmp.execute("query-named-block-nodes", { flat: true });
