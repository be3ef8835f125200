// How the writer of a disk is linked to its copies.
import { sleep } from "../../../lib/clock.ts";
import { StatusError } from "../../../lib/status-error.ts";
import type { CopyLink, CopyView } from "../../control.ts";
import { blockNode } from "../../qemu/disk-arguments.ts";
import { jobs } from "../jobs.ts";
import type { Job } from "../jobs.ts";
import { isSwitching } from "../switching.ts";
import type { Vm } from "../vm.ts";
import { blockNodes } from "./block-nodes.ts";
import { finishCatchUp, isCatchingUp } from "./catch-up.ts";
import { behind, followChanges } from "./changes.ts";
import { isThere } from "./greeting.ts";
import { isHeld } from "./held.ts";
import { catchUpJobOf, copyNode, jobOf } from "./names.ts";
import { waitedBy } from "./standing-still.ts";
import { stateOf } from "./state.ts";

/** Longer than all greetings are waited for. */
const lookMsMax = 6000;

/** QEMU itself may wait for a copy, as when its guest is reset. */
export async function view(
  vm: Vm,
  volume: string,
  hosts: Record<string, string>,
): Promise<CopyView> {
  const { clock, scope } = vm.options;
  const seen = look(vm, volume, hosts);
  seen.catch(() => {});
  const late = sleep(clock, lookMsMax, scope.signal).then(() => undefined);
  const answer = await Promise.race([seen, late]);
  if (answer) return answer;
  const links = await eachOf(hosts, async (_, host): Promise<CopyLink> => {
    return (await isThere(host, clock)) ? "unknown" : "silent";
  });
  if (Object.values(links).includes("silent")) return { isReleased: !isHeld(vm), bytes: 0, links };
  throw new StatusError("Timeout", "QEMU does not answer");
}

async function eachOf<T>(
  hosts: Record<string, string>,
  find: (node: string, host: string) => Promise<T>,
): Promise<Record<string, T>> {
  const entries = Object.entries(hosts);
  return Object.fromEntries(
    await Promise.all(entries.map(async ([node, host]) => [node, await find(node, host)] as const)),
  );
}

/** A job that is held for a moment is what it was. */
export const isWhole = ({ status, error }: Job) => !error && ["ready", "standby"].includes(status);

const waitsFor = (job: Job) =>
  job.status !== "concluded" && job["current-progress"] < job["total-progress"];

async function look(vm: Vm, volume: string, hosts: Record<string, string>): Promise<CopyView> {
  const all = await jobs(vm);
  // Asked after the jobs: a copy that a job writes to is behind until this says otherwise.
  const nodes = await blockNodes(vm);
  const disk = nodes.find((one) => one["node-name"] === blockNode(volume));
  if (!disk) throw new StatusError("NotFound", `there is no disk ${volume}`);
  const late = behind(nodes, volume);
  const links = await eachOf(hosts, async (node, host): Promise<CopyLink> => {
    const job = all.find(({ id }) => id === jobOf(volume, node));
    const isLinked = nodes.some((one) => one["node-name"] === copyNode(volume, node));
    if (!job) return isLinked ? "broken" : "none";
    const missed = all.find(({ id }) => id === catchUpJobOf(volume, node));
    if (job.error || job.status === "concluded" || missed?.error) return "broken";
    // Where nothing waits for the copy nobody needs to know.
    const waits = [job, missed].some((one) => one && waitsFor(one));
    if (waits && !(await isThere(host, vm.options.clock))) return "silent";
    if (missed?.status === "concluded") await finishCatchUp(vm, volume, node);
    else if (missed) return isCatchingUp(vm, volume, node);
    else if (late.includes(node)) return stateOf(vm).linking > 0 ? "syncing" : "broken";
    return isWhole(job) ? "alike" : "syncing";
  });
  const alike = Object.keys(links).filter((node) => links[node] === "alike");
  await followChanges(vm, volume, alike);
  return {
    ...{ isReleased: !isHeld(vm), bytes: disk.image["virtual-size"] as number, links },
    ...(isSwitching(vm) && { isSwitching: true as const }),
    ...(waitedBy(vm).includes(volume) && { isWaiting: true as const }),
  };
}
