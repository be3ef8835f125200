// Where other machines of this one's network reach it: the address on the link of its default route.
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";

/** The link of the default route with the lowest metric, in `/proc/net/route`. Pure. */
export function defaultLink(table: string): string | undefined {
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/));
  const [first] = rows
    .filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  return first?.[0];
}

/** The same in `/proc/net/ipv6_route`: destination, its bits, source, its bits, next hop, metric, ..., link. Pure. */
export function defaultLink6(table: string): string | undefined {
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/));
  const isDefault = ([to, bits, , , , , , , , link]: string[]) =>
    /^0{32}$/.test(to ?? "") && bits === "00" && link !== "lo";
  const metric = (row: string[]) => parseInt(row[5]!, 16);
  const [first] = rows.filter(isDefault).sort((a, b) => metric(a) - metric(b));
  return first?.[9];
}

const routeTables = {
  IPv4: { file: "/proc/net/route", link: defaultLink },
  IPv6: { file: "/proc/net/ipv6_route", link: defaultLink6 },
};

/** What others can reach: not of the link alone. */
const isWide = ({ address }: { address: string }) => !/^fe[89ab]/.test(address);

const addressOn = (link: string | undefined, family: IpFamily) =>
  (link === undefined ? [] : (networkInterfaces()[link] ?? [])).find(
    (one) => one.family === family && isWide(one),
  )?.address;

export async function outsideAddress(family: IpFamily = "IPv4"): Promise<string | undefined> {
  const { file, link } = routeTables[family];
  return addressOn(link(await readFile(file, "utf8").catch(() => "")), family);
}

export async function outsideAddresses(families: IpFamily[]): Promise<string[]> {
  const all = await Promise.all(families.map(outsideAddress));
  return all.flatMap((address) => address ?? []);
}

/** The address of the other family on the link that has this one. */
export function addressBeside(address: string): string | undefined {
  const links = Object.entries(networkInterfaces());
  const [link] = links.find(([, own = []]) => own.some((one) => one.address === address)) ?? [];
  return addressOn(link, familyOf(address) === "IPv4" ? "IPv6" : "IPv4");
}

/** Of the link that has an address; Ethernet's own when none has. */
export async function linkMtu(address: string | undefined): Promise<number> {
  const links = Object.entries(networkInterfaces());
  const [name] = links.find(([, own = []]) => own.some((one) => one.address === address)) ?? [];
  return Number(await readFile(`/sys/class/net/${name}/mtu`, "utf8").catch(() => "1500"));
}
