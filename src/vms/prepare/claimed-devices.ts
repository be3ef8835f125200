// Which devices a guest gets, before QEMU starts: what plugins granted is said in the container's environment, what
// claims are is written down by the node, which looks it up meanwhile (node/claimed-devices.ts).
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { grantedDevices, isClaimed } from "../host-devices.ts";
import type { GrantedDevice, HostDevice } from "../host-devices.ts";

/** In Kerb's notes about the pod. */
export const claimedFile = "claimed-devices.json";
const pollMs = 50;
const waitMsMax = 30_000;

export type ClaimedAnswer = { devices: GrantedDevice[] } | { error: string };

async function answerIn(notes: string, clock: Clock): Promise<ClaimedAnswer> {
  const file = join(notes, claimedFile);
  for (let waited = 0; !existsSync(file); waited += pollMs) {
    if (waited > waitMsMax) throw new Error("the node did not say which devices the claims are");
    await sleep(clock, pollMs);
  }
  return JSON.parse(readFileSync(file, "utf8")) as ClaimedAnswer;
}

interface Given {
  environment: string[];
  /** Folder of Kerb's notes about the pod. */
  notes: string;
}

/** Where the kernel lists a device. */
function placeOf({ kind, at }: GrantedDevice): string {
  if (kind === "pci") return join("/sys/bus/pci/devices", at);
  if (kind === "mediated") return join("/sys/bus/mdev/devices", at);
  const numbers = at.split(":").map((number) => number.padStart(3, "0"));
  return join("/dev/bus/usb", ...numbers);
}

function checkThere(device: GrantedDevice) {
  if (existsSync(placeOf(device))) return;
  throw new Error(`device ${device.name}: there is no ${device.at} on this machine`);
}

/** Each as it was named, in that order; throws where one is not known, or not there. */
export async function devicesOf(
  devices: HostDevice[],
  { environment, notes }: Given,
  clock: Clock,
): Promise<GrantedDevice[]> {
  const plugged = devices.flatMap((one) => (isClaimed(one) ? [] : [one]));
  const granted = grantedDevices(plugged, environment);
  if (plugged.length < devices.length) {
    const answer = await answerIn(notes, clock);
    if ("error" in answer) throw new Error(answer.error);
    answer.devices.forEach(checkThere);
    granted.push(...answer.devices);
  }
  return devices.flatMap(({ name }) => granted.filter((one) => one.name === name));
}
