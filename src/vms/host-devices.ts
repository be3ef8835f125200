// Devices of the machine that a guest gets whole: granted to its pod as resources by a device plugin, which says in
// the container's environment which ones they are, or by claims, whose devices say it in their attributes. Pure.
import { forbiddenValue, invalidValue, required } from "../kinds/field-checks.ts";
import type { FieldError } from "../lib/status-error.ts";

export interface PluginDevice {
  name: string;
  /** Of the device plugin. */
  resource: string;
}

export interface ClaimedDevice {
  name: string;
  /** Of the pod's `resourceClaims`. */
  claim: string;
  request: string;
}

export type HostDevice = PluginDevice | ClaimedDevice;

export const isClaimed = (device: HostDevice): device is ClaimedDevice => "claim" in device;

export interface GrantedDevice {
  name: string;
  kind: "pci" | "mediated" | "usb";
  /** An address, a UUID, or BUS:NUMBER. */
  at: string;
}

export const hostDevicesOf = ({ gpus = [], hostDevices = [] }: any): HostDevice[] =>
  [...gpus, ...hostDevices].map(({ name, deviceName, claimName, requestName }) =>
    claimName ? { name, claim: claimName, request: requestName } : { name, resource: deviceName },
  );

/** How many of each, as a container asks for them. */
export function deviceLimits(devices: HostDevice[]): Record<string, string> {
  const counts: Record<string, string> = {};
  for (const device of devices) {
    if (isClaimed(device)) continue;
    counts[device.resource] = String(Number(counts[device.resource] ?? 0) + 1);
  }
  return counts;
}

/** What of which claims, as a container asks for it. */
export function deviceClaims(devices: HostDevice[]): { name: string; request: string }[] {
  const asked = devices
    .filter(isClaimed)
    .map(({ claim, request }) => [`${claim}/${request}`, { name: claim, request }] as const);
  return [...new Map(asked).values()];
}

const variables = {
  pci: "PCI_RESOURCE",
  mediated: "MDEV_PCI_RESOURCE",
  usb: "USB_RESOURCE",
} as const;
const kinds = Object.keys(variables) as GrantedDevice["kind"][];

/** The variable by which whoever starts QEMU is told which devices of a resource were granted. */
export const placeVariable = (kind: GrantedDevice["kind"], resource: string) =>
  `${variables[kind]}_${resource.toUpperCase().replaceAll(/[/.]/g, "_")}`;

function placesIn(environment: string[], variable: string): string[] {
  const said = environment.find((one) => one.startsWith(`${variable}=`));
  const places = said?.slice(variable.length + 1).split(",") ?? [];
  return places.map((one) => one.trim()).filter(Boolean);
}

/**
 * Each takes the next that its resource was granted; throws where there is none. A resource of USB may be several
 * devices that belong together: each takes as many as the others.
 */
export function grantedDevices(devices: PluginDevice[], environment: string[]): GrantedDevice[] {
  const counts = new Map<string, number>();
  return devices.flatMap(({ name, resource }) => {
    const n = counts.get(resource) ?? 0;
    counts.set(resource, n + 1);
    const all = kinds.flatMap((kind) =>
      placesIn(environment, placeVariable(kind, resource)).map((at) => ({ kind, at })),
    );
    const asked = devices.filter((one) => one.resource === resource).length;
    const each = all.every(({ kind }) => kind === "usb") ? Math.floor(all.length / asked) || 1 : 1;
    const own = all.slice(n * each, (n + 1) * each);
    if (own.length === 0) {
      throw new Error(`device ${name}: the plugin of ${resource} did not say which one it is`);
    }
    return own.map((one) => ({ name, ...one }));
  });
}

function sourceErrors(claim: any, path: string, i: number): FieldError[] {
  const at = `${path}.resourceClaims[${i}]`;
  const { name, resourceClaimName, resourceClaimTemplateName } = claim;
  if (!name) return [required(`${at}.name`)];
  if (Boolean(resourceClaimName) !== Boolean(resourceClaimTemplateName)) return [];
  const why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
  return [invalidValue(at, name, why)];
}

/** Of a device of a claim; who may have which is said by the claim's device class. */
function claimErrors(device: any, at: string, claims: Set<string>): FieldError[] {
  const { claimName, requestName, deviceName } = device;
  if (!claimName) return [required(`${at}.claimName`)];
  if (!requestName) return [required(`${at}.requestName`)];
  if (deviceName) return [forbiddenValue(`${at}.deviceName`, "the device is one of a claim")];
  if (claims.has(claimName)) return [];
  return [invalidValue(`${at}.claimName`, claimName, "there is no such entry in resourceClaims")];
}

/** Of Akri's resources that of a Configuration permits those of its Instances. */
const configurationOf = (resource: string) =>
  /^((?:[a-z0-9-]+\.)?akri\.sh\/.+)-[0-9a-f]{6}$/.exec(resource)?.[1] ?? resource;

/** By device plugins only what the KubeVirt object permits, by resource. */
export function deviceErrors(spec: any, path: string, permitted: Set<string>): FieldError[] {
  const { domain, resourceClaims = [] } = spec;
  const claims = new Set<string>(resourceClaims.map(({ name }: any) => name));
  const errors = resourceClaims.flatMap((one: any, i: number) => sourceErrors(one, path, i));
  const ofDevices = ["gpus", "hostDevices"].flatMap((list) =>
    (domain.devices?.[list] ?? []).flatMap((one: any, i: number): FieldError[] => {
      const at = `${path}.domain.devices.${list}[${i}]`;
      if (one.claimName || one.requestName) return claimErrors(one, at, claims);
      if (!one.deviceName) return [required(`${at}.deviceName`)];
      const isPermitted = [one.deviceName, configurationOf(one.deviceName)].some((resource) =>
        permitted.has(resource),
      );
      if (isPermitted) return [];
      const why = `HostDevice ${one.deviceName} is not permitted in permittedHostDevices configuration`;
      return [forbiddenValue(`${at}.deviceName`, why)];
    }),
  );
  return [...errors, ...ofDevices];
}

/** Of KubeVirt's configuration. */
export function permittedDevices({ permittedHostDevices: permitted = {} }: any): Set<string> {
  const lists = ["pciHostDevices", "mediatedDevices", "usb"].flatMap(
    (list) => permitted[list] ?? [],
  );
  return new Set(lists.map(({ resourceName }) => resourceName));
}
