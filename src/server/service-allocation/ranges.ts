// Ranges of IPv4 addresses, and the one that node ports are from.
import type { KubeObject } from "../../kinds/object.ts";

export interface Range {
  first: number;
  last: number;
}

export const toNumber = (address: string) =>
  address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

export const toAddress = (number: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");

/** In the one form that Kubernetes takes: no leading zeros. */
export const isIpv4 = (text: string) =>
  /^\d+\.\d+\.\d+\.\d+$/.test(text) &&
  text.split(".").every((part) => Number(part) < 256 && String(Number(part)) === part);

/** The range of addresses that may be given out: neither the first nor the last of the network. */
export function addressRange(cidr: string): Range {
  const [base, bits] = cidr.split("/");
  const size = 2 ** (32 - Number(bits));
  const start = Math.floor(toNumber(base!) / size) * size;
  return { first: start + 1, last: start + size - 2 };
}

export const includes = ({ first, last }: Range, number: number) =>
  number >= first && number <= last;

/** The IPv4 ranges of a ServiceCIDR. */
export const cidrsOf = ({ spec }: KubeObject): string[] =>
  (spec?.cidrs ?? []).filter((cidr: string) => isIpv4(cidr.split("/")[0]!));

/** Numbers from some ranges; free ones are found from where the last one of the range was. */
export class Pool {
  readonly #taken = new Set<number>();
  readonly #cursors = new Map<string, number>();
  /** Low numbers of a range that are left to those who choose one by hand, as long as others are free. */
  readonly #reserved: (range: Range) => number;

  constructor(reserved: (range: Range) => number = () => 0) {
    this.#reserved = reserved;
  }

  has = (number: number) => this.#taken.has(number);
  take = (number: number) => void this.#taken.add(number);
  free = (number: number) => void this.#taken.delete(number);

  /** A free number, taken; undefined when the range is full. */
  next(range: Range): number | undefined {
    const { first, last } = range;
    const id = `${first}-${last}`;
    const size = last - first + 1;
    const cursor = this.#cursors.get(id) ?? Math.min(first + this.#reserved(range), last);
    for (let i = 0; i < size; i++) {
      const number = first + ((cursor - first + i) % size);
      if (this.#taken.has(number)) continue;
      this.#cursors.set(id, number + 1 > last ? first : number + 1);
      this.#taken.add(number);
      return number;
    }
    return undefined;
  }
}
