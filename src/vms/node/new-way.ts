// What is left of a guest's memory takes a new way where the one before broke. Both ends are asked again and again, and
// try one way at a time: QEMU begins a second while the first is still being connected, and is not made for that.
import type { Vm } from "./vm.ts";

/** By then a connection is made, or the kernel gave it up (`streamSettings`). */
const tryMsMax = 10_000;

const tried = new WeakMap<Vm, number>();

/** Runs `begin`, unless a way that was begun may still come. */
export async function tryNewWay(vm: Vm, begin: () => Promise<unknown>) {
  const now = vm.options.clock.monotonic();
  if (now - (tried.get(vm) ?? -Infinity) < tryMsMax) return;
  tried.set(vm, now);
  try {
    await begin();
  } catch (error) {
    tried.delete(vm);
    throw error;
  }
}

/** QEMU says that a way broke, so none is being made. */
export const wayBroke = (vm: Vm) => void tried.delete(vm);
