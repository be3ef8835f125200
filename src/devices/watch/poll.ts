// Looks again and again, and tells when what is there changed. Where answers may get lost on the way, a device is
// missed several times in a row before it counts as gone, and looked for more often meanwhile.
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Details } from "../discovery/details.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device } from "../discovery/handler.ts";

const everySecondsDefault = 10;
const everySecondsMax = 3600;
const missedMs = 1000;

export interface PollOptions {
  clock: Clock;
  signal: AbortSignal;
  everyMs?: number;
  /** Looks without it before a device is gone; default 1. */
  missesMax?: number;
}

/** `intervalSeconds` of details. */
export function everyMsIn(details: Details): number {
  const seconds = details["intervalSeconds"] ?? everySecondsDefault;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= everySecondsMax)
    return seconds * 1000;
  throw new DetailsError(`discoveryDetails.intervalSeconds: expected 1 to ${everySecondsMax}`);
}

export async function* poll(
  look: () => Promise<Device[]>,
  { clock, signal, everyMs = everySecondsDefault * 1000, missesMax = 1 }: PollOptions,
): AsyncGenerator<Device[]> {
  const known = new Map<string, { device: Device; misses: number }>();
  let told: string | undefined;
  while (!signal.aborted) {
    const found = await look();
    if (signal.aborted) return;
    for (const one of known.values()) one.misses += 1;
    for (const device of found) known.set(device.id, { device, misses: 0 });
    for (const [id, { misses }] of known) if (misses >= missesMax) known.delete(id);
    const devices = [...known.values()]
      .map(({ device }) => device)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const text = JSON.stringify(devices);
    if (text !== told) yield devices;
    told = text;
    const isMissed = [...known.values()].some(({ misses }) => misses > 0);
    await sleep(clock, isMissed ? Math.min(missedMs, everyMs) : everyMs, signal).catch(() => {});
  }
}
