// The guest's memory as a file that debuggers read. The guest stands still meanwhile.
import { writeFileSync } from "node:fs";
import { lchown, rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import { runCommand } from "../../lib/run-command.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import { qemuUser } from "../domain.ts";
import { show } from "./hotplug.ts";
import type { HolderVolumes } from "./hotplug.ts";
import type { Vm } from "./vm.ts";

const pollMs = 100;
const fileName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Resolves with how the dump that is under way, or was last, ended. */
async function untilDumped(vm: Vm): Promise<string> {
  for (;;) {
    const { status } = await vm.qmp.execute("query-dump");
    if (status !== "active") return status;
    await sleep(vm.options.clock, pollMs, vm.options.scope.signal);
  }
}

export interface DumpOptions {
  volumes: HolderVolumes;
  to: { holder: string; volume: string };
}

export async function dumpMemory(vm: Vm, name: string, { volumes, to }: DumpOptions) {
  if (!fileName.test(name)) throw badRequest(`${name} is not the name of a file`);
  const folder = await volumes.folder(to.holder, to.volume);
  const shown = `dump-${to.volume}`;
  // Of somebody who was asked before, and went away.
  await untilDumped(vm);
  const file = join(folder, name);
  await rm(file, { recursive: true, force: true });
  writeFileSync(file, "", { flag: "wx" });
  await lchown(file, qemuUser, qemuUser);
  await show(vm, shown, folder);
  vm.dumping = true;
  try {
    const protocol = `file:${join(vm.options.inside, "hotplug", shown, name)}`;
    await vm.qmp.execute("dump-guest-memory", { paging: false, protocol, detach: true });
    const ended = await untilDumped(vm);
    if (ended !== "completed")
      throw new StatusError("InternalError", "QEMU could not write it all");
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    vm.dumping = false;
    const target = join(vm.options.run, "hotplug", shown);
    await runCommand("umount", ["-l", target]).catch(() => {});
    await rm(target, { recursive: true, force: true });
  }
}
