// Addresses within ranges, of both families.
import { BlockList, isIP } from "node:net";

/** By what isIP says. */
const bitsOf: Record<number, number> = { 4: 32, 6: 128 };

const family = (address: string) => (address.includes(":") ? "ipv6" : "ipv4");

/** True for `ADDRESS/BITS`. */
export function isCidr(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  const kind = isIP(address);
  return kind !== 0 && rest.length === 0 && /^\d+$/.test(bits) && Number(bits) <= bitsOf[kind]!;
}

/** True when `address` lies in `cidr`. False when either cannot be read. */
export function covers(cidr: string, address: string): boolean {
  if (!isCidr(cidr) || isIP(address) === 0) return false;
  const [network, bits] = cidr.split("/") as [string, string];
  if (family(network) !== family(address)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family(network));
  return list.check(address, family(address));
}
