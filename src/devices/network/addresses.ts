// Lists of addresses that people write: `10.0.0.5`, `plc.local:502`, `[fd00::1]:502`, `10.0.0.0/28` and
// `10.0.0.1-10.0.0.9`. Pure.
import { isIP } from "node:net";
import { textList } from "../discovery/details.ts";
import type { Details } from "../discovery/details.ts";
import { DetailsError } from "../discovery/handler.ts";

const endpointsMax = 4096;

export interface Endpoint {
  host: string;
  port: number;
}

const numberOf = (ip: string) => ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const ipOf = (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join(".");

function wrong(text: string): DetailsError {
  return new DetailsError(`discoveryDetails.addresses: ${JSON.stringify(text)} is no address`);
}

function range(first: number, last: number, text: string): string[] {
  if (!(last >= first) || last - first >= endpointsMax) throw wrong(text);
  return Array.from({ length: last - first + 1 }, (_, i) => ipOf(first + i));
}

/** All hosts of a text; those of a network without its first and last. */
function hostsOf(text: string): string[] {
  const [from = "", to] = text.split("-");
  if (to !== undefined && isIP(from) === 4 && isIP(to) === 4) {
    return range(numberOf(from), numberOf(to), text);
  }
  const [network = "", bits] = text.split("/");
  if (bits === undefined) {
    if (/^[A-Za-z0-9.:_-]+$/.test(text)) return [text];
    throw wrong(text);
  }
  const size = 2 ** (32 - Number(bits));
  if (isIP(network) !== 4 || !/^\d+$/.test(bits) || Number(bits) > 32) throw wrong(text);
  const first = numberOf(network) - (numberOf(network) % size);
  return size <= 2
    ? range(first, first + size - 1, text)
    : range(first + 1, first + size - 2, text);
}

function split(text: string, portDefault: number): { hosts: string; port: number } {
  const bracketed = /^\[([0-9a-fA-F:]+)\](?::(\d+))?$/.exec(text);
  const plain = /^([^:]+)(?::(\d+))?$/.exec(text);
  const [, hosts = text, port] = bracketed ?? plain ?? [];
  return { hosts, port: port === undefined ? portDefault : Number(port) };
}

/** Throws DetailsError. */
export function addressesIn(details: Details, portDefault: number): Endpoint[] {
  const endpoints = textList(details, "addresses").flatMap((text) => {
    const { hosts, port } = split(text, portDefault);
    if (port < 1 || port > 65_535) throw wrong(text);
    return hostsOf(hosts).map((host) => ({ host, port }));
  });
  if (endpoints.length <= endpointsMax) return endpoints;
  throw new DetailsError(`discoveryDetails.addresses: more than ${endpointsMax} addresses`);
}

export const shown = ({ host, port }: Endpoint) =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
