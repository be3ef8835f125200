// Addresses and ranges of addresses, of both families.
import { BlockList, isIP } from "node:net";

export const ipFamilies = ["IPv4", "IPv6"] as const;
/** As Kubernetes names them. */
export type IpFamily = (typeof ipFamilies)[number];

const bitsOf = { IPv4: 32, IPv6: 128 } as const;
const groupBits = { IPv4: 8, IPv6: 16 } as const;

/** Of an address or a range, which must be one. */
export const familyOf = (text: string): IpFamily => (text.includes(":") ? "IPv6" : "IPv4");

const nodeFamily = (address: string) => (familyOf(address) === "IPv6" ? "ipv6" : "ipv4");

/** The one form that the kernel and Go print (RFC 5952). */
export const canonicalAddress = (address: string): string =>
  familyOf(address) === "IPv4" ? address : new URL(`http://[${address}]`).hostname.slice(1, -1);

/** Eight groups. */
function groupsOf(address: string): number[] {
  const [before = "", after] = canonicalAddress(address).split("::");
  const parse = (text: string) =>
    (text === "" ? [] : text.split(":")).map((one) => parseInt(one, 16));
  const [head, tail] = [parse(before), parse(after ?? "")];
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

export function addressNumber(address: string): bigint {
  const family = familyOf(address);
  const groups = family === "IPv4" ? address.split(".").map(Number) : groupsOf(address);
  return groups.reduce((sum, group) => (sum << BigInt(groupBits[family])) | BigInt(group), 0n);
}

export const ipv4Address = (number: number) =>
  `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;

export function numberAddress(number: bigint, family: IpFamily): string {
  if (family === "IPv4") return ipv4Address(Number(number));
  const digits = number.toString(16).padStart(32, "0");
  return canonicalAddress(digits.replaceAll(/(....)(?=.)/g, "$1:"));
}

export interface Network {
  family: IpFamily;
  /** The first address. */
  base: bigint;
  bits: number;
  /** Of its addresses that differ between one another. */
  hostBits: number;
}

export function networkOf(cidr: string): Network {
  const [address, length] = cidr.split("/") as [string, string];
  const family = familyOf(address);
  const hostBits = bitsOf[family] - Number(length);
  const base = (addressNumber(address) >> BigInt(hostBits)) << BigInt(hostBits);
  return { family, base, bits: Number(length), hostBits };
}

/** The address so far behind the first one of the range. */
export function addressIn(cidr: string, offset: number): string {
  const { base, family } = networkOf(cidr);
  return numberAddress(base + BigInt(offset), family);
}

/** True for an address without a zone. */
export const isAddress = (text: string) => isIP(text) !== 0 && !text.includes("%");

/** True for `ADDRESS/BITS`. */
export function isCidr(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  if (!isAddress(address) || rest.length > 0 || !/^\d+$/.test(bits)) return false;
  return Number(bits) <= bitsOf[familyOf(address)];
}

/** True when `address` lies in `cidr`. False when either cannot be read. */
export function covers(cidr: string, address: string): boolean {
  if (!isCidr(cidr) || !isAddress(address)) return false;
  const [network, bits] = cidr.split("/") as [string, string];
  if (familyOf(network) !== familyOf(address)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), nodeFamily(network));
  return list.check(address, nodeFamily(address));
}

/** True when two ranges have an address in common. */
export const overlaps = (a: string, b: string): boolean =>
  covers(a, b.split("/")[0]!) || covers(b, a.split("/")[0]!);
