// Whoever answers at given addresses: by TCP, or by HTTP with a page and a status that are expected.
import { addressesIn, shown } from "../network/addresses.ts";
import type { Endpoint } from "../network/addresses.ts";
import { atOnce } from "../network/at-once.ts";
import { readDetails } from "../discovery/details.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, DiscoveryHandler } from "../discovery/handler.ts";
import { isObject } from "../../lib/json.ts";
import { askHttp } from "../http/ask.ts";
import { openHttpTwin } from "../http/twin.ts";
import { everyMsIn, poll } from "../watch/poll.ts";
import { openTcp } from "../network/tcp.ts";
import { trustOf } from "../network/trust.ts";
import type { Trust } from "../network/trust.ts";

const answerMsMax = 2000;
const portDefault = 80;
const portsMax = 64;

interface Page {
  scheme: "http" | "https";
  path: string;
  status: number;
}

interface Wishes {
  endpoints: Endpoint[];
  page: Page | undefined;
  everyMs: number;
}

function pageIn(http: unknown): Page | undefined {
  if (http === undefined || http === null) return undefined;
  const { scheme = "http", path = "/", status = 200 } = isObject(http) ? http : {};
  const isFine =
    (scheme === "http" || scheme === "https") &&
    typeof path === "string" &&
    path.startsWith("/") &&
    Number.isInteger(status);
  if (isFine) return { scheme, path, status: status as number };
  throw new DetailsError("discoveryDetails.http: expected scheme, path and status");
}

function wishesIn(text: string): Wishes {
  const details = readDetails(text, ["addresses", "ports", "http", "intervalSeconds"]);
  const ports = details["ports"] ?? [portDefault];
  const isPort = (one: unknown) =>
    Number.isInteger(one) && (one as number) > 0 && (one as number) < 65_536;
  if (!Array.isArray(ports) || ports.length > portsMax || !ports.every(isPort)) {
    throw new DetailsError("discoveryDetails.ports: expected a list of ports");
  }
  const endpoints = ports.flatMap((port: number) => addressesIn(details, port));
  if (endpoints.length === 0) throw new DetailsError("discoveryDetails.addresses: Required value");
  const unique = new Map(endpoints.map((one) => [shown(one), one]));
  return {
    endpoints: [...unique.values()],
    page: pageIn(details["http"]),
    everyMs: everyMsIn(details),
  };
}

const deviceOf = (endpoint: Endpoint, more: Record<string, string>): Device => ({
  id: more["SCAN_URL"] ?? shown(endpoint),
  properties: { SCAN_ADDRESS: endpoint.host, SCAN_PORT: String(endpoint.port), ...more },
  mounts: [],
  nodes: [],
});

async function byHttp(
  endpoint: Endpoint,
  page: Page,
  { trust, signal }: { trust: Trust | undefined; signal: AbortSignal },
) {
  const url = `${page.scheme}://${shown(endpoint)}${page.path}`;
  const until = AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]);
  const { status, headers } = await askHttp(url, {
    isHeadEnough: true,
    trust,
    signal: until,
  });
  if (status !== page.status) return undefined;
  const server = String(headers["server"] ?? "");
  return deviceOf(endpoint, { SCAN_URL: url, ...(server && { SCAN_HTTP_SERVER: server }) });
}

async function byTcp(endpoint: Endpoint, signal: AbortSignal) {
  (await openTcp(endpoint, signal, answerMsMax)).destroy();
  return deviceOf(endpoint, {});
}

export const scan: DiscoveryHandler = {
  name: "scan",
  shared: true,
  check: wishesIn,
  async *discover({ details, properties, signal }, { clock }) {
    const trust = trustOf(properties);
    const { endpoints, page, everyMs } = wishesIn(details);
    const look = () =>
      atOnce(endpoints, (one) =>
        page ? byHttp(one, page, { trust, signal }) : byTcp(one, signal),
      );
    yield* poll(look, { clock, signal, everyMs });
  },
  openTwin: openHttpTwin,
};
