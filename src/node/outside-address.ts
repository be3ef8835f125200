// Where other machines of this one's network reach it: the address on the link of its default route.
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";

/** The link of the default route with the lowest metric, in `/proc/net/route`. Pure. */
export function defaultLink(table: string): string | undefined {
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/));
  const [first] = rows
    .filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  return first?.[0];
}

export async function outsideAddress(): Promise<string | undefined> {
  const link = defaultLink(await readFile("/proc/net/route", "utf8").catch(() => ""));
  const addresses = link === undefined ? [] : (networkInterfaces()[link] ?? []);
  return addresses.find(({ family }) => family === "IPv4")?.address;
}

/** Of the link that has an address; Ethernet's own when none has. */
export async function linkMtu(address: string | undefined): Promise<number> {
  const links = Object.entries(networkInterfaces());
  const [name] = links.find(([, own = []]) => own.some((one) => one.address === address)) ?? [];
  return Number(await readFile(`/sys/class/net/${name}/mtu`, "utf8").catch(() => "1500"));
}
