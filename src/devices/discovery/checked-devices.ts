// What a handler says, as far as it can be true: the rest is left out by name. Pure.
import { isObject, jsonEqual } from "../../lib/json.ts";
import type { Device } from "./handler.ts";

export const devicesMax = 4096;
const idCharsMax = 4096;
const propertiesMax = 256;
const propertyCharsMax = 32 * 1024;

export interface Checked {
  devices: Device[];
  refused: { id: string; why: string }[];
}

const isTexts = (value: unknown): value is Record<string, string> =>
  isObject(value) && Object.values(value).every((one) => typeof one === "string");

function fault({ id, properties, nodes, mounts, refused }: Device): string | undefined {
  if (typeof id !== "string" || id === "") return "it has no id";
  if (id.length > idCharsMax) return `its id is longer than ${idCharsMax}`;
  if (!isTexts(properties)) return "its properties are no texts";
  const entries = Object.entries(properties);
  if (entries.length > propertiesMax) return `it has more than ${propertiesMax} properties`;
  const long = entries.find(([, value]) => value.length > propertyCharsMax);
  if (long) return `its property ${long[0]} is longer than ${propertyCharsMax}`;
  // The container's environment cannot hold these.
  const odd = entries.find(([key, value]) => !/^[^=\0]+$/.test(key) || value.includes("\0"));
  if (odd) return `its property ${JSON.stringify(odd[0])} cannot be a variable`;
  const letters = nodes.find(({ permissions }) => !/^[rwm]{1,3}$/.test(permissions));
  if (letters) return `permissions ${JSON.stringify(letters.permissions)} are not letters of rwm`;
  const paths = [...nodes, ...mounts].flatMap((one) => [one.hostPath, one.containerPath]);
  if (refused !== undefined) return refused;
  const relative = paths.find((path) => !path.startsWith("/"));
  return relative === undefined ? undefined : `${JSON.stringify(relative)} is no absolute path`;
}

/** Duplicates of an id count once, and the first counts; one that says nothing else is no fault. */
export function checkedDevices(said: Device[]): Checked {
  const devices = new Map<string, Device>();
  const refused: Checked["refused"] = [];
  for (const device of said) {
    const why = fault(device);
    const id = String(device.id).slice(0, 64);
    if (why) refused.push({ id, why });
    else if (devices.has(device.id)) {
      const isSame = jsonEqual(devices.get(device.id), device);
      if (!isSame) refused.push({ id, why: "its id is there twice" });
    } else if (devices.size >= devicesMax) refused.push({ id, why: `more than ${devicesMax}` });
    else devices.set(device.id, device);
  }
  return { devices: [...devices.values()], refused };
}
