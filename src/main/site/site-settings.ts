// What a site decided about itself at its first start and must never decide again: its name, port and
// addresses. Several sites share a machine, so each takes a slot number that no other site on the machine
// has, and derives bridge, subnets, nftables tables and cgroup from it. Slots are links in one folder,
// made with O_EXCL semantics; a link whose site is gone is free again.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { PodNetworkKind } from "../../node/network/node-link.ts";
import { ownDirectory } from "../files.ts";
import { familyAddresses, plainRange, rangesProblem, routeInTheWay } from "./site-ranges.ts";
import type { FamilyAddresses, SiteRanges } from "./site-ranges.ts";

/** Kept in DIR/site.json. */
export interface SiteSettings {
  /** Version of this file's shape. */
  format: 1;
  name: string;
  port: number;
  /** 0 to 49; see `addressesOf`. */
  slot: number;
  /** `https://…` of the site elsewhere of which this machine is a node. */
  server?: string;
  /** `etcd://…` when the objects are there; absent when they are in DIR/store. */
  store?: string;
  /** Chosen when the site was made. */
  podNetwork?: PodNetworkKind;
  /** Chosen by its owner; absent: those of its slot. */
  ranges?: SiteRanges;
}

/** The addresses of the site's own family, and beside them what it has of another one. */
export interface SiteAddresses extends FamilyAddresses {
  second?: FamilyAddresses;
  /** At most 15 characters, as the kernel allows. */
  bridge: string;
  nftTable: string;
  cgroup: string;
  /** How pods of other machines are reached; default: by routes. */
  podNetwork?: PodNetworkKind;
}

export const slotsMax = 50;

/** In a data directory: what a restore has not finished. */
export const restoringFolder = "restoring";

const rangesOf = (slot: number): SiteRanges => ({
  podCidrs: [`10.${100 + slot}.0.0/16`],
  serviceCidrs: [`10.${150 + slot}.0.0/16`],
});

/** Everything that must differ between sites on one machine follows from the slot, or was chosen. Pure. */
export function addressesOf(slot: number, ranges: SiteRanges = rangesOf(slot)): SiteAddresses {
  const [first, second] = ranges.podCidrs.map((pods, i) =>
    familyAddresses(pods, ranges.serviceCidrs[i]!),
  );
  return {
    ...first!,
    ...(second && { second }),
    bridge: `kerb${slot}`,
    nftTable: `kerb${slot}`,
    cgroup: `kerb${slot}`,
  };
}

/** The site's own family first. */
export const familiesOf = ({ second, ...first }: SiteAddresses): FamilyAddresses[] =>
  second ? [first, second] : [first];

/** True when a route of this machine covers the slot's subnets, other than the slot's own bridge. Pure. */
export function slotCollides(slot: number, routes: string): boolean {
  const own = ` dev ${addressesOf(slot).bridge} `;
  const taken = new RegExp(`^(10\\.(${100 + slot}|${150 + slot})\\.|10\\.0\\.0\\.0/8)`);
  return routes.split("\n").some((line) => taken.test(line) && !`${line} `.includes(own));
}

export function readSettings(directory: string): SiteSettings | undefined {
  let text: string;
  try {
    text = readFileSync(join(directory, "site.json"), "utf8");
  } catch {
    return undefined;
  }
  const settings = JSON.parse(text) as SiteSettings;
  if (settings.format !== 1) {
    throw new Error(
      `${directory}/site.json has format ${settings.format}, newer than this Kerb understands (1). ` +
        "Start it with the Kerb that wrote it, or a newer one.",
    );
  }
  return settings;
}

/** What its owner says, and what it starts with. */
interface Asked {
  name?: string;
  port?: number;
  store?: string;
  podNetwork?: PodNetworkKind;
  ranges?: Partial<SiteRanges>;
  /** Throws when a new site cannot have these here. */
  check?: (addresses: SiteAddresses) => void;
  server?: string;
  defaultPort: number;
  slots: string | undefined;
}

/** Settings of the site in `directory`, decided now if this is its first start. */
export function settle(
  directory: string,
  asked: Asked,
): { settings: SiteSettings; isNew: boolean } {
  ownDirectory(directory);
  const known = readSettings(directory);
  if (!known && existsSync(join(directory, restoringFolder))) {
    throw new Error(`a restore to ${directory} was cut short; do it again: kerb restore FILE`);
  }
  if (known && asked.slots) claimSlot(asked.slots, directory, known.slot);
  if (known && !known.store && asked.store) {
    throw new Error(
      `the objects of this site are in ${directory}/store; --store does not move them to etcd. ` +
        "Use another --data-dir for a server on etcd",
    );
  }
  if (known && !known.server !== !(asked.server ?? known.server)) {
    throw new Error(`${directory} holds a site of its own; a node needs another --data-dir`);
  }
  if (known && asked.name && asked.name !== known.name) {
    throw new Error(
      `the site in ${directory} is named ${known.name}, and a site's name cannot change; ` +
        `start it without --name, or make a site ${asked.name} with another --data-dir`,
    );
  }
  const slot = known?.slot ?? (asked.slots ? freeSlot(asked.slots, directory) : 0);
  try {
    const settings = decided(asked, slot, known);
    if (JSON.stringify(known) !== JSON.stringify(settings)) writeSettings(directory, settings);
    return { settings, isNew: known === undefined };
  } catch (error) {
    if (!known && asked.slots) release(asked.slots, directory, slot);
    throw error;
  }
}

function decided(asked: Asked, slot: number, known?: SiteSettings): SiteSettings {
  const store = asked.store ?? known?.store;
  const server = asked.server ?? known?.server;
  const podNetwork = asked.podNetwork ?? known?.podNetwork;
  const ranges = chosenRanges(asked, slot, known);
  return {
    format: 1,
    name: known?.name ?? asked.name ?? defaultName(),
    port: asked.port ?? known?.port ?? asked.defaultPort,
    slot,
    ...(store !== undefined && { store }),
    ...(server !== undefined && { server }),
    ...(podNetwork !== undefined && { podNetwork }),
    ...(ranges !== undefined && { ranges }),
  };
}

/** Takes back what `settle` decided: nobody relies on it yet. A folder with nothing else in it goes too. */
export function unsettle(directory: string, slots: string | undefined) {
  const slot = readSettings(directory)?.slot;
  unlinkSync(join(directory, "site.json"));
  if (slots && slot !== undefined) release(slots, directory, slot);
  try {
    rmdirSync(directory);
  } catch {
    // Somebody keeps something there.
  }
}

/** Ranges that somebody chose, now or when the site was made; undefined for those of its slot. */
function chosenRanges(
  { ranges: asked = {}, slots, check }: Asked,
  slot: number,
  known?: SiteSettings,
) {
  if (!asked.podCidrs && !asked.serviceCidrs) return known?.ranges;
  const has = known?.ranges ?? rangesOf(slot);
  const ranges = {
    podCidrs: (asked.podCidrs ?? has.podCidrs).map(plainRange),
    serviceCidrs: (asked.serviceCidrs ?? has.serviceCidrs).map(plainRange),
  };
  const problem = rangesProblem(ranges);
  if (problem) throw new Error(problem);
  if (known) {
    if (JSON.stringify(ranges) === JSON.stringify(has)) return known.ranges;
    throw new Error(
      `this site has pods in ${has.podCidrs.join(",")} and Services in ${has.serviceCidrs.join(",")}; ` +
        "its ranges cannot change: use another --data-dir for a site with others",
    );
  }
  check?.(addressesOf(slot, ranges));
  const taken = slots
    ? routeInTheWay(ranges, machineRoutes("-4") + machineRoutes("-6"))
    : undefined;
  if (taken) throw new Error(`this machine has a route into these ranges already: ${taken.trim()}`);
  return ranges;
}

function writeSettings(directory: string, settings: SiteSettings) {
  const path = join(directory, "site.json");
  writeFileSync(`${path}.new`, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** A DNS label, since it becomes the node's name. */
function defaultName() {
  const label = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return label.slice(0, 63) || "kerb";
}

const machineRoutes = (family: "-4" | "-6") =>
  execFileSync("ip", [family, "route", "show", "table", "all"], { encoding: "utf8" });

function freeSlot(slots: string, directory: string): number {
  const routes = machineRoutes("-4");
  for (let slot = 0; slot < slotsMax; slot++) {
    if (slotCollides(slot, routes)) continue;
    if (claimed(slots, directory, slot)) return slot;
  }
  throw new Error(`all ${slotsMax} address slots of this machine are taken; see ${slots}`);
}

function claimSlot(slots: string, directory: string, slot: number) {
  if (claimed(slots, directory, slot)) return;
  const owner = readlinkSync(join(slots, String(slot)));
  throw new Error(
    `the addresses of this site (slot ${slot}) were taken by the site in ${owner} meanwhile; ` +
      `run 'kerb down --data-dir ${owner}' and remove it, or start this site on another machine`,
  );
}

function linked(link: string, directory: string): boolean {
  try {
    symlinkSync(directory, link);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Takes away the link of a site that is no more; false when somebody else was faster. */
function cleared(link: string, owner: string): boolean {
  const aside = `${link}.${process.pid}`;
  try {
    renameSync(link, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  if (readlinkSync(aside) === owner) {
    unlinkSync(aside);
    return true;
  }
  renameSync(aside, link);
  return false;
}

function ownerOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** Another site has it now, since this one was gone for a while. */
export function isOthersSlot(slots: string, directory: string, slot: number): boolean {
  const owner = ownerOf(join(slots, String(slot)));
  if (owner === undefined || owner === directory || !existsSync(owner)) return false;
  return !existsSync(directory) || realpathSync(owner) !== realpathSync(directory);
}

/** Of several sites that start at once, one has it. */
function claimed(slots: string, directory: string, slot: number): boolean {
  mkdirSync(slots, { recursive: true });
  const link = join(slots, String(slot));
  if (linked(link, directory)) return true;
  const owner = ownerOf(link);
  if (owner === directory) return true;
  if (owner === undefined || isHeld(owner, slot)) return false;
  return cleared(link, owner) && linked(link, directory);
}

/** A folder without settings is of a site that claimed the slot a moment ago and has not written them yet. */
function isHeld(owner: string, slot: number): boolean {
  const settings = readSettings(owner);
  return settings ? settings.slot === slot : existsSync(owner);
}

/** Of a site that could not be made. */
function release(slots: string, directory: string, slot: number) {
  const link = join(slots, String(slot));
  if (ownerOf(link) === directory) cleared(link, directory);
}
