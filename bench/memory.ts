// What a process holds of a machine: what is resident, as everybody reads it; each page that others have mapped too shared
// out among them; and what is of no file, so that it can be had back by nobody's doing but its own. What an idle process
// holds goes up and down, so it is looked at for half a minute.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

export interface Held {
  residentMiB: number;
  proportionalMiB: number;
  anonymousMiB: number;
}

const everyMs = 1000;

export function heldBy(pid: number): Held {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mebibytes = (name: string) =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]) / 1024;
  return {
    residentMiB: mebibytes("Rss"),
    proportionalMiB: mebibytes("Pss"),
    anonymousMiB: mebibytes("Anonymous"),
  };
}

const meanOf = (all: Held[], key: keyof Held) =>
  all.reduce((sum, one) => sum + one[key], 0) / all.length;

/** The means of a look each second, of all processes at the same times; `most` is the most that was resident. */
export async function heldByEach(pids: number[], looks = 30): Promise<(Held & { most: number })[]> {
  const seen = pids.map((): Held[] => []);
  for (let i = 0; i < looks; i++) {
    await setTimeout(everyMs);
    for (const [of, pid] of pids.entries()) seen[of]!.push(heldBy(pid));
  }
  return seen.map((all) => ({
    residentMiB: meanOf(all, "residentMiB"),
    proportionalMiB: meanOf(all, "proportionalMiB"),
    anonymousMiB: meanOf(all, "anonymousMiB"),
    most: Math.max(...all.map((one) => one.residentMiB)),
  }));
}

/**
 * Certificates that this machine wants every Node to believe are loaded by each, 2.5 MiB of them. They are this machine's
 * and not what is measured.
 */
export function withoutMoreCertificates() {
  delete process.env["NODE_EXTRA_CA_CERTS"];
}
