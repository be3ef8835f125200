// Packets with an address of the loopback do not leave it unless an interface is told to let them. Those of pods with
// host ports are, so that such a port answers at 127.0.0.1 too. Others' packets are dropped by the table's guard.
import { readFile, writeFile } from "node:fs/promises";

const numberOf = (address: string) => {
  const [a, b, c, d] = address.split(".").map(Number) as [number, number, number, number];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
};

/** As the kernel prints addresses, in the order of this machine. */
const fromHex = (hex: string) => Buffer.from(hex, "hex").readUInt32LE();

/** Which interface leads to an IPv4 address, by the text of `/proc/net/route`: that of the narrowest route. Pure. */
export function deviceTowards(routes: string, address: string): string | undefined {
  const wanted = numberOf(address);
  const found = routes
    .split("\n")
    .slice(1)
    .map((line) => line.split(/\s+/))
    .filter(({ length }) => length > 7)
    .map(([device, to, , , , , , mask]) => ({ device, to: fromHex(to!), mask: fromHex(mask!) }))
    .filter(({ to, mask }) => (wanted & mask) >>> 0 === to);
  return found.sort((a, b) => b.mask - a.mask)[0]?.device;
}

/** Lets packets from the loopback go to these pods. */
export async function routeLoopback(addresses: string[]): Promise<void> {
  if (addresses.length === 0) return;
  const routes = await readFile("/proc/net/route", "utf8");
  for (const address of addresses) {
    const device = deviceTowards(routes, address);
    if (!device) continue;
    await writeFile(`/proc/sys/net/ipv4/conf/${device}/route_localnet`, "1").catch(() => {});
  }
}
