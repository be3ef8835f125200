// OPC UA servers, as given addresses or a discovery server there tell of them.
import { lookup } from "node:dns/promises";
import type { Clock } from "../../lib/clock.ts";
import { isObject } from "../../lib/json.ts";
import { readDetails, textList } from "../discovery/details.ts";
import { filterOf } from "../discovery/filter.ts";
import type { Filter } from "../discovery/filter.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";
import { uaAddress } from "../opcua/channel.ts";
import { findServers } from "../opcua/find-servers.ts";
import type { UaServer } from "../opcua/find-servers.ts";
import { openUaTwin } from "../opcua/twin.ts";
import { poll } from "../watch/poll.ts";

const urlDefault = "opc.tcp://localhost:4840/";
const serversMax = 4096;

function urlsIn(method: unknown): string[] {
  if (method === undefined || method === null) return [urlDefault];
  if (!isObject(method)) {
    throw new DetailsError("discoveryDetails.opcuaDiscoveryMethod: expected a map");
  }
  const other = Object.keys(method).find((name) => name !== "standard");
  if (other !== undefined) {
    throw new DetailsError(
      `discoveryDetails.opcuaDiscoveryMethod: ${JSON.stringify(other)} is not known; only standard`,
    );
  }
  const standard = method["standard"];
  const urls = isObject(standard) ? textList(standard, "discoveryUrls") : [];
  return urls.length > 0 ? urls : [urlDefault];
}

/** Names are compared letter by letter. An empty list of wanted names is none. */
function isWanted(filter: Filter | undefined, name: string): boolean {
  if (!filter || filter.items.length === 0) return true;
  return filter.items.includes(name) === (filter.action === "Include");
}

/** The address of a server, on the asked host where the announced one is not known here. */
export async function reachable(
  { urls }: UaServer,
  asked: string,
  resolves: (host: string) => Promise<boolean>,
): Promise<string | undefined> {
  const url = urls.find((one) => one.startsWith("opc.tcp://"));
  if (url === undefined) return undefined;
  const { host, path } = uaAddress(url);
  if (await resolves(host)) return url;
  const { host: known, port } = uaAddress(asked);
  const shown = known.includes(":") ? `[${known}]` : known;
  return `opc.tcp://${shown}:${port}${path}`;
}

const resolves = (host: string) =>
  lookup(host).then(
    () => true,
    () => false,
  );

interface Asking {
  clock: Clock;
  signal: AbortSignal;
}

async function serversAt(asked: string, filter: Filter | undefined, asking: Asking) {
  const found = await findServers(asked, asking);
  const wanted = found.filter(({ kind, name }) => kind === "Server" && isWanted(filter, name));
  const urls = await Promise.all(
    wanted.slice(0, serversMax).map((server) => reachable(server, asked, resolves)),
  );
  return urls.filter((url) => url !== undefined);
}

const deviceOf = (url: string): Device => ({
  id: url,
  properties: { OPCUA_DISCOVERY_URL: url },
  mounts: [],
  nodes: [],
});

function wishesIn(details: string) {
  const read = readDetails(details, ["opcuaDiscoveryMethod", "applicationNames"]);
  return {
    asked: urlsIn(read["opcuaDiscoveryMethod"]),
    filter: filterOf(read, "applicationNames"),
  };
}

export const opcua: DiscoveryHandler = {
  name: "opcua",
  shared: true,
  check: wishesIn,
  async *discover({ details, signal }, { clock, log }) {
    const { asked, filter } = wishesIn(details);
    const look = async () => {
      const answers = asked.map((url) =>
        serversAt(url, filter, { clock, signal }).catch((error: Error) => {
          log.debug("no OPC UA server", { url, error: error.message });
          return [];
        }),
      );
      return [...new Set((await Promise.all(answers)).flat())].map(deviceOf);
    };
    yield* poll(look, { clock, signal });
  },
  openTwin: openUaTwin,
};
