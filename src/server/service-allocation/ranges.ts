// Ranges that Services get addresses and node ports from.
import type { KubeObject } from "../../kinds/object.ts";
import { familyOf, ipv4Address, networkOf, numberAddress } from "../../lib/ip-range.ts";

/** Things in a row that are given out one after the other. */
export interface Range<Item> {
  id: string;
  size: number;
  at(index: number): Item;
}

/** Of a range of IPv6 that is bigger, no more is looked at. */
const addressesMax = 2 ** 32;

/** What may be given out of a range: not the first, and of IPv4 not the last of the network. */
export function addressRange(cidr: string): Range<string> {
  const { base, family, hostBits } = networkOf(cidr);
  const size = Math.min(2 ** hostBits, addressesMax) - (family === "IPv4" ? 2 : 1);
  const first = Number(base) + 1;
  const at =
    family === "IPv4"
      ? (index: number) => ipv4Address(first + index)
      : (index: number) => numberAddress(base + 1n + BigInt(index), family);
  return { id: cidr, size, at };
}

export interface Ports {
  first: number;
  last: number;
}

export const portRange = ({ first, last }: Ports): Range<number> => ({
  id: `${first}-${last}`,
  size: last - first + 1,
  at: (index) => first + index,
});

/** The first of a range, left to those who choose a port by hand as long as others are free (KEP-3668). */
const bandOf = (size: number) => Math.min(Math.max(16, Math.floor(size / 32)), 128);
const portsApart = 53;

/**
 * Where to begin to give ports out. Clusters that share a machine have Services in neighbouring ranges, and a port of
 * the machine leads to one of them only: each begins elsewhere. Pure.
 */
export function firstPort(size: number, serviceCidr: string): number {
  const { base, hostBits } = networkOf(serviceCidr);
  const band = bandOf(size);
  if (band >= size) return 0;
  const network = base >> BigInt(hostBits);
  return band + Number((network * BigInt(portsApart)) % BigInt(size - band));
}

export const cidrsOf = ({ spec }: KubeObject): string[] => spec?.cidrs ?? [];

/** True for an address that `addressRange` gives out. */
export function isGivenOut(cidr: string, address: string, number: bigint): boolean {
  const { base, family, hostBits } = networkOf(cidr);
  if (familyOf(address) !== family) return false;
  const offset = number - base;
  return offset > 0n && offset < 2n ** BigInt(hostBits) - (family === "IPv4" ? 1n : 0n);
}

/** What of some ranges is taken; free ones are found from where the last one of the range was. */
export class Pool<Item> {
  readonly #taken = new Set<Item>();
  readonly #cursors = new Map<string, number>();
  /** The first of a range, left to those who choose one by hand as long as others are free. */
  readonly #reserved: (range: Range<Item>) => number;

  constructor(reserved: (range: Range<Item>) => number = () => 0) {
    this.#reserved = reserved;
  }

  has = (item: Item) => this.#taken.has(item);
  take = (item: Item) => void this.#taken.add(item);
  free = (item: Item) => void this.#taken.delete(item);

  /** A free one, taken; undefined when the range is full. */
  next(range: Range<Item>): Item | undefined {
    const { id, size } = range;
    const cursor = this.#cursors.get(id) ?? Math.min(this.#reserved(range), size - 1);
    for (let i = 0; i < size; i++) {
      const index = (cursor + i) % size;
      const item = range.at(index);
      if (this.#taken.has(item)) continue;
      this.#cursors.set(id, (index + 1) % size);
      this.#taken.add(item);
      return item;
    }
    return undefined;
  }
}
