// The addresses by which other nodes reach this machine: of each family of the site one, where the machine has it.
import { join } from "node:path";
import { familyOf } from "../../lib/ip-range.ts";
import { addressBeside } from "../../node/machine/outside-address.ts";
import { familiesOf } from "../site/site-settings.ts";
import type { SiteAddresses } from "../site/site-settings.ts";

/** What a machine that joined knows of its site's ranges. */
export const joinedAddressesFile = (directory: string) => join(directory, "addresses.json");

/** Finds the address of the other family on the same link. */
type Beside = (address: string) => string | undefined;

const isOf = (gateway: string) => (address: string) => familyOf(address) === familyOf(gateway);
const isIpv4Alone = ({ gateway, second }: SiteAddresses) => !second && familyOf(gateway) === "IPv4";

/** Of a site's own machine: where it was told to listen, or else where pods reach it. Pure. */
export function siteAddresses(
  addresses: SiteAddresses,
  listen: string[] = [],
  beside: Beside = addressBeside,
): string[] {
  if (isIpv4Alone(addresses)) return [listen[0] ?? addresses.gateway];
  const gateways = familiesOf(addresses).map(({ gateway }) => gateway);
  const told = gateways.map((gateway) => listen.find(isOf(gateway)));
  return gateways.flatMap((gateway, i) => {
    const other = told[1 - i];
    const own = told[i] ?? (other && beside(other));
    if (own) return own;
    return i === 0 || !other ? gateway : [];
  });
}

/** Of a machine that joined and speaks with its server from the address `own`. Pure. */
export function joinedAddresses(
  addresses: SiteAddresses,
  own: string,
  beside: Beside = addressBeside,
): string[] {
  if (isIpv4Alone(addresses)) return [own];
  const all = [own, beside(own) ?? []].flat();
  const fit = familiesOf(addresses).flatMap(({ gateway }) => all.find(isOf(gateway)) ?? []);
  return fit.length > 0 ? fit : [own];
}
