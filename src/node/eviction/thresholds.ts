// Below which amount a node counts as short of something: kubelet's `--eviction-hard`. Pure.
import { parseQuantity } from "../../lib/quantity.ts";
import { signalNames } from "./signals.ts";
import type { Reading, Readings, Signal } from "./signals.ts";

export interface Threshold {
  signal: Signal;
  /** As it was written, `100Mi` or `10%`. */
  text: string;
}

/** kubelet's own for Linux. */
export const defaultThresholds =
  "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%," +
  "imagefs.available<15%,imagefs.inodesFree<5%";

const isSignal = (name: string): name is Signal =>
  (signalNames as readonly string[]).includes(name);

const percentOf = (text: string) => /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];

/** Throws with what is wrong, for whoever wrote it. */
export function parseThresholds(text: string): Threshold[] {
  return text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [, signal = "", value = ""] = /^\s*([\w.]+)\s*<\s*(\S+)\s*$/.exec(part) ?? [];
      if (!isSignal(signal)) {
        const known = signalNames.join(", ");
        throw new Error(`${JSON.stringify(part)} is not SIGNAL<QUANTITY; signals are ${known}`);
      }
      const percent = percentOf(value);
      if (percent === undefined ? parseQuantity(value) < 0 : Number(percent) > 100) {
        throw new Error(`${signal}<${value}: a quantity or a share of at most 100% is needed`);
      }
      return { signal, text: value };
    });
}

/** In the signal's own unit. */
export function quantityOf({ text }: Threshold, { capacity }: Reading): number {
  const percent = percentOf(text);
  return percent === undefined ? parseQuantity(text) : (capacity * Number(percent)) / 100;
}

/** Those below which a reading lies. */
export function metThresholds(thresholds: Threshold[], readings: Readings): Threshold[] {
  return thresholds.filter((one) => {
    const reading = readings[one.signal];
    if (reading.capacity === Infinity) return false;
    return reading.available < quantityOf(one, reading);
  });
}
