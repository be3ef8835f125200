// Network equipment that answers SNMP v2c at given addresses. The community is a discoveryProperty, since it is a
// password.
import { addressesIn, shown } from "../network/addresses.ts";
import type { Endpoint } from "../network/addresses.ts";
import { readDetails } from "../discovery/details.ts";
import { filterOf, passes } from "../discovery/filter.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";
import { everyMsIn, poll } from "../watch/poll.ts";
import { textOf } from "../discovery/properties.ts";
import { getMessage, valuesIn } from "../snmp/messages.ts";
import { askUdp } from "../network/udp.ts";

const portDefault = 161;
const waitMs = 2000;
const missesMax = 3;
const communityDefault = "public";
const [description, objectId, sysName] = [
  "1.3.6.1.2.1.1.1.0",
  "1.3.6.1.2.1.1.2.0",
  "1.3.6.1.2.1.1.5.0",
];

function wishesIn(text: string) {
  const details = readDetails(text, ["addresses", "version", "objectIds", "intervalSeconds"]);
  const version = details["version"] ?? "2c";
  if (version !== "2c") {
    throw new DetailsError(
      `discoveryDetails.version: ${JSON.stringify(version)} is not known; only "2c"`,
    );
  }
  const endpoints = addressesIn(details, portDefault);
  if (endpoints.length === 0) throw new DetailsError("discoveryDetails.addresses: Required value");
  return { endpoints, kinds: filterOf(details, "objectIds"), everyMs: everyMsIn(details) };
}

const deviceOf = (endpoint: Endpoint, values: Map<string, string>): Device => ({
  id: `snmp://${shown(endpoint)}`,
  properties: {
    SNMP_ADDRESS: endpoint.host,
    SNMP_PORT: String(endpoint.port),
    SNMP_DESCRIPTION: values.get(description) ?? "",
    SNMP_OBJECT_ID: values.get(objectId) ?? "",
    SNMP_NAME: values.get(sysName) ?? "",
  },
  mounts: [],
  nodes: [],
});

export const snmp: DiscoveryHandler = {
  name: "snmp",
  shared: true,
  check: wishesIn,
  async *discover({ details, properties, signal }, { clock, random }) {
    const { endpoints, kinds, everyMs } = wishesIn(details);
    const community = textOf(properties, "community") ?? communityDefault;
    const look = async () => {
      const found = new Map<string, Device>();
      const id = Number.parseInt(random.uuid().slice(0, 7), 16);
      await askUdp({
        message: getMessage(community, id, [description, objectId, sysName]),
        to: endpoints,
        answer: (bytes, { address: host, port }) => {
          const device = deviceOf({ host, port }, valuesIn(bytes, id));
          if (passes(kinds, [device.properties["SNMP_OBJECT_ID"]!])) found.set(device.id, device);
          return found.size === endpoints.length;
        },
        ...{ waitMs, clock, signal },
      });
      return [...found.values()];
    };
    yield* poll(look, { clock, signal, everyMs, missesMax });
  },
};
