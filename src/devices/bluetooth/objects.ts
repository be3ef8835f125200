// What BlueZ knows, as busctl prints its objects in JSON. Pure.
import { isObject } from "../../lib/json.ts";

const deviceInterface = "org.bluez.Device1";
const textCharsMax = 256;

export interface Advertiser {
  address: string;
  /** `public`, or `random` for one whose address may be another tomorrow. */
  addressType: string;
  name: string;
  /** UUIDs, in order. */
  services: string[];
  /** The numbers of companies whose data it sends, as `0x0499`. */
  manufacturers: string[];
  rssi: number;
}

/** Names come through the air: no control characters, and an end. */
const clean = (text: unknown) =>
  typeof text === "string" ? text.replaceAll(/\p{Cc}/gu, "").slice(0, textCharsMax) : "";

function advertiserIn(device: Record<string, any>): Advertiser | undefined {
  const value = (name: string): unknown => device[name]?.data;
  const [address, rssi, uuids, data] = ["Address", "RSSI", "UUIDs", "ManufacturerData"].map(value);
  // Only what was heard since BlueZ began to listen has a strength.
  if (typeof address !== "string" || typeof rssi !== "number") return undefined;
  const manufacturers = Object.keys(isObject(data) ? data : {}).map(Number);
  return {
    address,
    addressType: clean(value("AddressType")),
    name: clean(value("Name")),
    services: (Array.isArray(uuids) ? uuids.map(clean) : []).sort(),
    manufacturers: manufacturers
      .sort((a, b) => a - b)
      .map((number) => `0x${number.toString(16).padStart(4, "0")}`),
    rssi,
  };
}

/** Those that were heard. Throws when the text is not what busctl prints. */
export function advertisersIn(printed: string): Advertiser[] {
  const [objects] = JSON.parse(printed).data;
  return Object.values<Record<string, any>>(objects)
    .map((interfaces) => interfaces[deviceInterface])
    .filter((device) => device !== undefined)
    .map(advertiserIn)
    .filter((one) => one !== undefined);
}

/** A service of the standard is also named by four digits, as `181a` and `0x181a`. */
export function namesOfService(uuid: string): string[] {
  const short = /^0000([0-9a-f]{4})-0000-1000-8000-00805f9b34fb$/.exec(uuid)?.[1];
  return short ? [uuid, short, `0x${short}`] : [uuid];
}
