// A guest stands still to go on elsewhere, and its copies were the same as they were let go: until it is known where it
// goes on, it must not be here. Kerb knows it after a restart, too.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Vm } from "./vm.ts";

const fileOf = ({ options }: Vm) => join(options.notes, "switching");

export const isSwitching = (vm: Vm): boolean => existsSync(fileOf(vm));

export function noteSwitching(vm: Vm, is: boolean) {
  if (is) writeFileSync(fileOf(vm), "");
  else rmSync(fileOf(vm), { force: true });
}
