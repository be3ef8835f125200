// A guest whose copy failed stands still: what it writes is acknowledged once that is recorded, and not before.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSwitching } from "../switching.ts";
import type { Vm } from "../vm.ts";
import { jobsOf, replicatedDisks } from "./names.ts";
import { stateOf } from "./state.ts";

const copyFailed = "a copy of a disk failed";

const waitedFile = ({ options }: Vm) => join(options.notes, "waited");

/** Disks that such a guest waits for; Kerb knows it after a restart, too. */
export function waitedBy(vm: Vm): string[] {
  const file = waitedFile(vm);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
}

function noteWaited(vm: Vm, volumes: string[]) {
  if (volumes.length === 0) rmSync(waitedFile(vm), { force: true });
  else writeFileSync(waitedFile(vm), JSON.stringify(volumes));
}

export function standStill(vm: Vm, volumes: string[]) {
  noteWaited(vm, [...new Set([...waitedBy(vm), ...volumes])]);
  vm.stopReason = copyFailed;
  vm.tell("stop");
}

/** Nothing is left to be recorded of a disk. */
export async function goOn(vm: Vm, volume: string) {
  const waited = waitedBy(vm);
  const others = waited.filter((one) => one !== volume);
  if (others.length === waited.length) return;
  noteWaited(vm, others);
  if (others.length === 0) await vm.qmp.execute("cont");
}

/** Lets the guest stand still as soon as a copy fails. */
export function mindCopies(vm: Vm) {
  if (waitedBy(vm).length > 0) vm.stopReason = copyFailed;
  vm.onEvent(({ event, data }) => {
    if (event === "RESUME") {
      // QEMU itself lets a guest go on whose move failed, after its copies were let go; people may, too.
      const waited = isSwitching(vm) ? replicatedDisks(vm) : waitedBy(vm);
      if (waited.length > 0) standStill(vm, waited);
      return;
    }
    // A write that waited for a copy which missed things; QEMU repeats it.
    const late = stateOf(vm).catchingUp.get(data?.["node-name"]);
    if (event === "BLOCK_IO_ERROR" && late && data.action === "stop") standStill(vm, [late]);
    const id = String(data?.device);
    if (event !== "BLOCK_JOB_ERROR" || stateOf(vm).ends.has(id)) return;
    const volume = replicatedDisks(vm).find((one) => id.startsWith(jobsOf(one)));
    if (volume && vm.status === "running") standStill(vm, [volume]);
  });
}
