// Names of signals as container images and pods write them. Pure.
import { constants } from "node:os";

const realTimeMin = 34;
const realTimeMax = 64;

/** Of `SIGTERM`, `SIGRTMIN+3` or `SIGRTMAX-1`; throws for what is none. */
export function signalNumber(name: string): number {
  const real = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (real) {
    const base = real[1] === "MIN" ? realTimeMin : realTimeMax;
    return base + Number(real[3] ?? 0) * (real[2] === "-" ? -1 : 1);
  }
  const number = constants.signals[name as NodeJS.Signals];
  if (number === undefined) throw new Error(`${name} is not a signal`);
  return number;
}
