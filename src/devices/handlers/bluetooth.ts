// What advertises itself by Bluetooth Low Energy near the machine. BlueZ listens while bluetoothctl asks it to, and
// busctl shows what it hears (Debian's bluez and systemd).
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import { advertisersIn, namesOfService } from "../bluetooth/objects.ts";
import type { Advertiser } from "../bluetooth/objects.ts";
import { readDetails } from "../discovery/details.ts";
import { filterOf, passes } from "../discovery/filter.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler, HandlerWorld } from "../discovery/handler.ts";
import { everyMsIn, poll } from "../watch/poll.ts";

const scanSecondsDefault = 5;
const scanSecondsMax = 60;
/** How long bluetoothctl goes on when what was heard is read. */
const readSeconds = 2;
const answerSeconds = 10;
const missesMax = 3;
/** The air may be full of phones. */
const devicesMax = 1024;
const busctl = ["--system", "--json=short", `--timeout=${answerSeconds}`, "call", "org.bluez", "/"];
const getObjects = [...busctl, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"];

function wishesIn(text: string) {
  const fields = ["names", "services", "rssiMin", "scanSeconds", "intervalSeconds"];
  const details = readDetails(text, fields);
  const [names, services] = [filterOf(details, "names"), filterOf(details, "services")];
  if (!names && !services)
    throw new DetailsError("discoveryDetails: expected names, services or both");
  const rssiMin: unknown = details["rssiMin"] ?? -Infinity;
  if (typeof rssiMin !== "number") throw new DetailsError("discoveryDetails.rssiMin: expected dBm");
  const scanSeconds: unknown = details["scanSeconds"] ?? scanSecondsDefault;
  const isPossible = Number.isInteger(scanSeconds) && Number(scanSeconds) >= 1;
  if (!isPossible || Number(scanSeconds) > scanSecondsMax)
    throw new DetailsError(`discoveryDetails.scanSeconds: expected 1 to ${scanSecondsMax}`);
  return {
    names,
    services,
    rssiMin,
    scanSeconds: Number(scanSeconds),
    everyMs: everyMsIn(details),
  };
}

function hasAdapter(sys: string): boolean {
  try {
    return readdirSync(join(sys, "class/bluetooth")).some((name) => /^hci\d+$/.test(name));
  } catch {
    return false;
  }
}

/** Those that are heard within the time. Throws when BlueZ does not listen. */
async function listen(
  { clock, run }: Pick<HandlerWorld, "clock" | "run">,
  { scanSeconds, signal }: { scanSeconds: number; signal: AbortSignal },
): Promise<Advertiser[]> {
  // bluetoothctl waits for a BlueZ that is not there, for ever.
  await run("busctl", getObjects);
  const seconds = scanSeconds + readSeconds;
  const scan = ["bluetoothctl", "--timeout", String(seconds), "scan", "le"];
  const listening = run("timeout", [String(seconds + answerSeconds), ...scan]);
  // It ends early when it cannot listen.
  await Promise.race([listening, sleep(clock, scanSeconds * 1000, signal)]);
  const [printed, told] = await Promise.all([run("busctl", getObjects), listening]);
  const failed = /Failed to start discovery: (.*)/.exec(told)?.[1];
  if (failed !== undefined) throw new Error(`the Bluetooth adapter does not listen: ${failed}`);
  return advertisersIn(printed);
}

const deviceOf = ({ address, addressType, name, services, manufacturers }: Advertiser): Device => ({
  id: address,
  properties: {
    BLUETOOTH_ADDRESS: address,
    BLUETOOTH_ADDRESS_TYPE: addressType,
    BLUETOOTH_NAME: name,
    BLUETOOTH_SERVICES: services.join(","),
    BLUETOOTH_MANUFACTURERS: manufacturers.join(","),
  },
  mounts: [],
  nodes: [],
});

export const bluetooth: DiscoveryHandler = {
  name: "bluetooth",
  shared: true,
  check: wishesIn,
  async *discover({ details, signal }, { clock, paths, run }) {
    const { names, services, rssiMin, scanSeconds, everyMs } = wishesIn(details);
    const isWanted = (one: Advertiser) =>
      passes(names, [one.name]) &&
      passes(services, one.services.flatMap(namesOfService)) &&
      one.rssi >= rssiMin;
    const look = async () => {
      if (!hasAdapter(paths.sys)) return [];
      const heard = await listen({ clock, run }, { scanSeconds, signal });
      return heard.filter(isWanted).slice(0, devicesMax).map(deviceOf);
    };
    yield* poll(look, { clock, signal, everyMs, missesMax });
  },
};
