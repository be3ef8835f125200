// Where the proxy subresource of a pod, a service or a node leads. Names, defaults and refusals are those
// of upstream's registries: `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`.
import { BlockList, isIPv4, isIPv6 } from "node:net";
import type { Duplex } from "node:stream";
import type { KubeObject } from "../../kinds/object.ts";
import { dialTcp } from "../../lib/dial-tcp.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { badRequest, notFound, StatusError } from "../../lib/status-error.ts";
import type { HandlerContext, ServerHandle } from "../policy.ts";
import { chooseEndpoint } from "./choose-endpoint.ts";
import { readEndpoints } from "./read-endpoints.ts";

export interface ProxyTarget {
  scheme: "http" | "https";
  /** `10.42.0.7:8080`. */
  host: string;
  dial: () => Promise<Duplex>;
}

interface ProxyName {
  scheme: "http" | "https" | "";
  name: string;
  port: string;
}

const schemes = new Set(["", "http", "https"]);

/** Takes `SCHEME:NAME:PORT` apart; undefined when it is none. */
export function splitProxyName(id: string): ProxyName | undefined {
  const parts = id.split(":");
  if (parts.length > 3) return undefined;
  const [scheme, name, port] = parts.length === 3 ? parts : ["", ...parts];
  if (!name || !schemes.has(scheme!)) return undefined;
  return { scheme: scheme as ProxyName["scheme"], name, port: port ?? "" };
}

const local = new BlockList();
local.addAddress("0.0.0.0");
local.addSubnet("127.0.0.0", 8);
local.addSubnet("169.254.0.0", 16);
local.addSubnet("224.0.0.0", 4);
local.addAddress("255.255.255.255");
local.addAddress("::", "ipv6");
local.addAddress("::1", "ipv6");
local.addSubnet("fe80::", 10, "ipv6");
local.addSubnet("ff00::", 8, "ipv6");

/** Loopback, link-local and multicast addresses lead to the server's own machine, not to a pod. */
function isGlobalUnicast(address: string): boolean {
  if (isIPv4(address)) return !local.check(address);
  return isIPv6(address) && !local.check(address, "ipv6");
}

const withPort = (host: string, port: number | string) =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

async function read(server: ServerHandle, resource: string, key: string): Promise<KubeObject> {
  const entry = await server.store.get(`${resource}/${key}`);
  if (!entry) throw notFound({ group: "", resource }, key.slice(key.indexOf("/") + 1));
  return parseShared<KubeObject>(entry.value);
}

function portNumber(port: string, fallback: number): number {
  if (port === "") return fallback;
  const number = Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65536) return number;
  throw badRequest(`invalid port ${JSON.stringify(port)}: it must be a number from 1 to 65535`);
}

/** Dials through the node that has the address, or straight when none is named. */
export async function dialThrough(
  server: ServerHandle,
  nodeName: string | undefined,
  address: { host: string; port: number },
): Promise<Duplex> {
  const { host, port } = address;
  if (!nodeName || !server.nodeConnector) return dialTcp(host, port);
  return (await server.nodeConnector(nodeName)).dial(host, port);
}

async function podTarget({ server, info }: HandlerContext): Promise<ProxyTarget> {
  const asked = splitProxyName(info.name!);
  if (!asked) throw badRequest(`invalid pod request ${JSON.stringify(info.name)}`);
  const pod = await read(server, "pods", `${info.namespace}/${asked.name}`);
  const first = pod.spec.containers.find((one: any) => one.ports?.length > 0)?.ports[0];
  const scheme = asked.scheme || "http";
  const host: string = pod.status?.podIP ?? "";
  if (!isGlobalUnicast(host)) throw badRequest("address not allowed");
  const port = portNumber(asked.port, first?.containerPort ?? (scheme === "https" ? 443 : 80));
  return {
    scheme,
    host: withPort(host, port),
    dial: () => dialThrough(server, pod.spec.nodeName, { host, port }),
  };
}

/** The name of a service's port that was given as a number. */
async function portNameOf(server: ServerHandle, namespace: string, { name, port }: ProxyName) {
  if (!/^[+-]?\d+$/.test(port)) return port;
  const service = await read(server, "services", `${namespace}/${name}`);
  const found = service.spec.ports?.find((one: any) => one.port === Number(port));
  if (found) return (found.name as string | undefined) ?? "";
  throw new StatusError(
    "ServiceUnavailable",
    `no service port ${Number(port)} found for service ${JSON.stringify(name)}`,
  );
}

async function serviceTarget({ server, info }: HandlerContext): Promise<ProxyTarget> {
  const asked = splitProxyName(info.name!);
  if (!asked) throw badRequest(`invalid service request ${JSON.stringify(info.name)}`);
  const namespace = info.namespace!;
  const port = await portNameOf(server, namespace, asked);
  const subsets = await readEndpoints(server, namespace, asked.name);
  if (!subsets) throw notFound({ group: "", resource: "endpoints" }, asked.name);
  const none = (name: string) =>
    new StatusError(
      "ServiceUnavailable",
      `no endpoints available for service ${JSON.stringify(name)}`,
    );
  if (subsets.length === 0) throw none(asked.name);
  const isAsked = (one: { name: string }) => one.name === port;
  const chosen = await chooseEndpoint(server, { namespace, subsets }, isAsked, { podsOnly: true });
  if (!chosen) throw none(info.name!);
  return {
    scheme: asked.scheme || "http",
    host: withPort(chosen.host, chosen.port),
    dial: () => dialThrough(server, chosen.nodeName, chosen),
  };
}

async function nodeTarget({ server, info }: HandlerContext): Promise<ProxyTarget> {
  const asked = splitProxyName(info.name!);
  if (!asked) throw badRequest(`invalid node request ${JSON.stringify(info.name)}`);
  const node = await read(server, "nodes", asked.name);
  const kubelet: number = node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  const port = portNumber(asked.port, kubelet);
  if (port === 0) {
    throw new StatusError(
      "ServiceUnavailable",
      `node ${asked.name} has no kubelet port: name the port, ${asked.name}:PORT`,
    );
  }
  const addresses: { type: string; address: string }[] = node.status?.addresses ?? [];
  const host = addresses.find(({ type }) => type === "InternalIP")?.address;
  if (!host) throw badRequest("address not allowed");
  const toKubelet = port === kubelet;
  if (!toKubelet && !isGlobalUnicast(host)) throw badRequest("address not allowed");
  return {
    // The way there is the node's own connection, which needs no further protection.
    scheme:
      toKubelet && server.nodeConnector ? "http" : asked.scheme || (toKubelet ? "https" : "http"),
    host: withPort(host, port),
    dial: () => dialThrough(server, asked.name, { host, port }),
  };
}

/** By resource. Each throws StatusError. */
export const proxyTargets = { pods: podTarget, services: serviceTarget, nodes: nodeTarget };
