// A guest with replicated disks is held until it is recorded to which copies it writes.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StatusError } from "../../../lib/status-error.ts";
import type { Vm } from "../vm.ts";
import { replicatedDisks } from "./names.ts";
import { stateOf } from "./state.ts";

const releasedFile = ({ options }: Vm) => join(options.notes, "released");

/** True while a VM with replicated disks must not run yet. */
export const isHeld = (vm: Vm): boolean =>
  replicatedDisks(vm).length > 0 && !existsSync(releasedFile(vm));

/** Lets the guest run for the first time. */
export async function release(vm: Vm) {
  if (!isHeld(vm)) return;
  // A link that comes late must not miss a write.
  if (stateOf(vm).linking > 0) throw new StatusError("Conflict", "its disks are being linked");
  await writeFile(releasedFile(vm), "");
  if (!vm.domain.startPaused) await vm.qmp.execute("cont");
  vm.options.changed();
}
