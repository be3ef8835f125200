// CoAP servers, at given addresses or whoever of the local network answers: one device per server.
import { addressesIn, shown } from "../network/addresses.ts";
import { contentOf, askCore, linksIn } from "../coap/messages.ts";
import type { Link } from "../coap/messages.ts";
import { readDetails } from "../discovery/details.ts";
import { filterOf, passes } from "../discovery/filter.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";
import { everyMsIn, poll } from "../watch/poll.ts";
import { askUdp } from "../network/udp.ts";

const portDefault = 5683;
/** All CoAP nodes. */
const group = { host: "224.0.1.187", port: portDefault };
const waitMs = 2000;
const missesMax = 3;

function wishesIn(text: string) {
  const details = readDetails(text, ["addresses", "resourceTypes", "intervalSeconds"]);
  return {
    endpoints: addressesIn(details, portDefault),
    types: filterOf(details, "resourceTypes"),
    everyMs: everyMsIn(details),
  };
}

function deviceOf(host: string, port: number, links: Link[]): Device {
  const types = [...new Set(links.flatMap((link) => link.types))].sort();
  return {
    id: `coap://${shown({ host, port })}`,
    properties: {
      COAP_URL: `coap://${shown({ host, port })}`,
      COAP_ADDRESS: host,
      COAP_PORT: String(port),
      COAP_RESOURCES: links.map(({ path }) => path).join(" "),
      COAP_RESOURCE_TYPES: types.join(" "),
    },
    mounts: [],
    nodes: [],
  };
}

export const coap: DiscoveryHandler = {
  name: "coap",
  shared: true,
  check: wishesIn,
  async *discover({ details, signal }, { clock, random }) {
    const { endpoints, types, everyMs } = wishesIn(details);
    const isGroup = endpoints.length === 0;
    const look = async () => {
      const found = new Map<string, Device>();
      const token = Buffer.from(random.uuid().slice(0, 8), "hex");
      await askUdp({
        message: askCore(token.readUInt16BE(0), token),
        to: isGroup ? [group] : endpoints,
        isGroup,
        answer: (bytes, { address, port }) => {
          const links = linksIn(contentOf(bytes, token).toString());
          if (
            !passes(
              types,
              links.flatMap((link) => link.types),
            )
          )
            return;
          const device = deviceOf(address, port, links);
          found.set(device.id, device);
          return !isGroup && found.size === endpoints.length;
        },
        ...{ waitMs, clock, signal },
      });
      return [...found.values()];
    };
    yield* poll(look, { clock, signal, everyMs, missesMax });
  },
};
