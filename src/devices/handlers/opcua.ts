// OPC UA servers, as given addresses or a discovery server there tell of them.
import { lookup } from "node:dns/promises";
import type { Clock } from "../../lib/clock.ts";
import { isObject } from "../../lib/json.ts";
import { readDetails, textList } from "../discovery/details.ts";
import { filterOf } from "../discovery/filter.ts";
import type { Filter } from "../discovery/filter.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";
import { atOnce } from "../network/at-once.ts";
import { uaAddress } from "../opcua/channel.ts";
import { findServers } from "../opcua/find-servers.ts";
import type { UaServer } from "../opcua/find-servers.ts";
import { openUaTwin } from "../opcua/twin.ts";
import { poll } from "../watch/poll.ts";

const urlDefault = "opc.tcp://localhost:4840/";
const serversMax = 4096;
/** A discovery server may tell of any names, and of names of which nobody ever answers. */
const namesMsMax = 5000;
const namesAtOnce = 4;

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

function isAddress(url: string): boolean {
  try {
    return uaAddress(url).host !== "";
  } catch {
    return false;
  }
}

/** The address of a server, on the asked host where the announced one is not known here. */
export async function reachable(
  { urls }: UaServer,
  asked: string,
  resolves: (host: string) => Promise<boolean>,
): Promise<string | undefined> {
  const url = urls.find(isAddress);
  if (url === undefined) return undefined;
  const { host, path } = uaAddress(url);
  if (await resolves(host)) return url;
  const { host: known, port } = uaAddress(asked);
  const shown = known.includes(":") ? `[${known}]` : known;
  return `opc.tcp://${shown}:${port}${path}`;
}

/** Whether names are known here, each looked up once; what takes too long is not. */
function knownNames(signal: AbortSignal) {
  const until = AbortSignal.any([signal, AbortSignal.timeout(namesMsMax)]);
  const asked = new Map<string, Promise<boolean>>();
  const late = new Promise<boolean>((resolve) => {
    until.addEventListener("abort", () => resolve(false), { once: true });
  });
  const isKnown = (host: string) =>
    lookup(host).then(
      () => true,
      () => false,
    );
  return (host: string) => {
    if (until.aborted) return Promise.resolve(false);
    const answer = asked.get(host) ?? Promise.race([isKnown(host), late]);
    asked.set(host, answer);
    return answer;
  };
}

interface Asking {
  clock: Clock;
  signal: AbortSignal;
}

async function serversAt(asked: string, filter: Filter | undefined, asking: Asking) {
  const found = await findServers(asked, asking);
  const wanted = found.filter(({ kind, name }) => kind === "Server" && isWanted(filter, name));
  const resolves = knownNames(asking.signal);
  const some = wanted.slice(0, serversMax);
  return atOnce(some, (server) => reachable(server, asked, resolves), { max: namesAtOnce });
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
