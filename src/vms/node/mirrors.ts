// Disks that are not shared, sent before and beside the memory of a guest that leaves: QEMU's mirrors over NBD.
import { StatusError } from "../../lib/status-error.ts";
import type { MigrationTarget } from "../control.ts";
import { blockNode } from "../qemu/disk-arguments.ts";
import { jobs, untilJob } from "./jobs.ts";
import { isWhole } from "./replication/view.ts";
import type { Vm } from "./vm.ts";

export const mirrorJob = (volume: string) => `mirror-${blockNode(volume)}`;
const mirrorNode = (volume: string) => blockNode(`mirror of ${volume}`);

interface Mirroring {
  copy: string[];
  tls: string;
  speed: number;
}

/** Resolves once they are the same; those that are under way go on. */
export async function mirrorDisks(
  vm: Vm,
  { host, nbdPort }: MigrationTarget,
  { copy, tls, speed }: Mirroring,
) {
  const known = await jobs(vm);
  for (const name of copy.filter((one) => !known.some(({ id }) => id === mirrorJob(one)))) {
    const target = mirrorNode(name);
    await vm.qmp.execute("blockdev-del", { "node-name": target }).catch(() => {});
    await vm.qmp.execute("blockdev-add", {
      driver: "raw",
      "node-name": target,
      file: {
        driver: "nbd",
        server: { type: "inet", host, port: String(nbdPort) },
        export: blockNode(name),
        "tls-creds": tls,
      },
    });
    await vm.qmp.execute("blockdev-mirror", {
      "job-id": mirrorJob(name),
      device: blockNode(name),
      target,
      sync: "full",
      "copy-mode": "write-blocking",
      "auto-dismiss": false,
      speed,
    });
  }
  for (const name of copy) await untilJob(vm, mirrorJob(name), ["ready"]);
}

/** The guest stands still: rejects where the target does not have all that it wrote. */
export async function mirrorsAreWhole(vm: Vm, copy: string[]) {
  const all = await jobs(vm);
  const broken = copy.find(
    (name) => !all.some((job) => job.id === mirrorJob(name) && isWhole(job)),
  );
  if (broken) throw new StatusError("Conflict", `the copy of ${broken} does not have all`);
}

/** Lets the mirrors go without the last word: the target has all that was written before the guest stopped. */
export async function endMirrors(vm: Vm, copy: string[], force: boolean) {
  for (const name of copy) {
    await vm.qmp.execute("block-job-cancel", { device: mirrorJob(name), force }).catch(() => {});
    await untilJob(vm, mirrorJob(name), ["concluded"]).catch(() => {});
    await vm.qmp.execute("job-dismiss", { id: mirrorJob(name) }).catch(() => {});
    await vm.qmp.execute("blockdev-del", { "node-name": mirrorNode(name) }).catch(() => {});
  }
}
