// Controllers and meters that speak Modbus/TCP at given addresses: one device per unit that answers.
import { addressesIn, shown } from "../network/addresses.ts";
import type { Endpoint } from "../network/addresses.ts";
import { atOnce } from "../network/at-once.ts";
import { readDetails } from "../discovery/details.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";
import { identify, ModbusClient, ModbusException, readValues } from "../modbus/client.ts";
import { openModbusTwin } from "../modbus/twin.ts";
import { everyMsIn, poll } from "../watch/poll.ts";

const portDefault = 502;
const unitsMax = 247;

function wishesIn(text: string) {
  const details = readDetails(text, ["addresses", "unitIds", "intervalSeconds"]);
  const units: unknown = details["unitIds"] ?? [1];
  const isUnit = (one: unknown) =>
    Number.isInteger(one) && (one as number) >= 0 && (one as number) < 256;
  if (!Array.isArray(units) || units.length > unitsMax || !units.every(isUnit)) {
    throw new DetailsError("discoveryDetails.unitIds: expected a list of numbers from 0 to 255");
  }
  const endpoints = addressesIn(details, portDefault);
  if (endpoints.length === 0) throw new DetailsError("discoveryDetails.addresses: Required value");
  return { endpoints, units: units as number[], everyMs: everyMsIn(details) };
}

/** Who refuses a question is there. */
async function answers(client: ModbusClient, unit: number): Promise<boolean> {
  try {
    await readValues(client, { unit, table: "holding", address: 0, count: 1 });
    return true;
  } catch (error) {
    return error instanceof ModbusException && error.message !== new ModbusException(11).message;
  }
}

async function unitAt(client: ModbusClient, endpoint: Endpoint, unit: number) {
  if (!(await answers(client, unit))) return undefined;
  const names = await identify(client, unit).catch(() => []);
  const [vendor, product, revision] = names.map((name) => name.replaceAll("\0", ""));
  const { host, port } = endpoint;
  const device: Device = {
    id: `modbus://${shown(endpoint)}/${unit}`,
    properties: {
      MODBUS_ADDRESS: host,
      MODBUS_PORT: String(port),
      MODBUS_UNIT: String(unit),
      ...(vendor && { MODBUS_VENDOR: vendor }),
      ...(product && { MODBUS_PRODUCT: product }),
      ...(revision && { MODBUS_REVISION: revision }),
    },
    mounts: [],
    nodes: [],
  };
  return device;
}

async function unitsAt(endpoint: Endpoint, units: number[], signal: AbortSignal) {
  const client = await ModbusClient.open(endpoint, signal);
  try {
    return await atOnce(units, (unit) => unitAt(client, endpoint, unit), { max: 1 });
  } finally {
    client.close();
  }
}

export const modbus: DiscoveryHandler = {
  name: "modbus",
  shared: true,
  check: wishesIn,
  async *discover({ details, signal }, { clock }) {
    const { endpoints, units, everyMs } = wishesIn(details);
    const look = async () =>
      (await atOnce(endpoints, (endpoint) => unitsAt(endpoint, units, signal))).flat();
    yield* poll(look, { clock, signal, everyMs });
  },
  openTwin: (device, { signal }) => openModbusTwin(device, signal),
};
