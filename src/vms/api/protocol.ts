// The subresource API: what its paths mean and what discovery says of it. Pure.

export const subresourceGroup = "subresources.kubevirt.io";
const versions = ["v1", "v1alpha3"];
export const groupVersions = versions.map((version) => `${subresourceGroup}/${version}`);

export type VmResource = "virtualmachines" | "virtualmachineinstances";

export interface Asked {
  /** Absent for what is no machine's: `version`, `healthz`, `guestfs`, `expand-vm-spec`. */
  resource?: VmResource;
  namespace: string;
  name: string;
  /** `start`, `vnc/screenshot`, `portforward`. */
  action: string;
  /** What follows it: port and protocol. */
  rest: string[];
  query: URLSearchParams;
}

const nested = new Set([
  ...["vnc/screenshot", "evacuate/cancel", "sev/fetchcertchain", "sev/querylaunchmeasurement"],
  ...["sev/setupsession", "sev/injectlaunchsecret"],
]);
const resources: readonly string[] = ["virtualmachines", "virtualmachineinstances"];

/** The path below the group version, or undefined for one that leads nowhere. */
export function parsePath(url: string): Asked | undefined {
  const { pathname, searchParams: query } = new URL(url, "http://x");
  const [apis, group, version, ...parts] = pathname
    .split("/")
    .filter(Boolean)
    .map(decodeURIComponent);
  if (apis !== "apis" || group !== subresourceGroup || !versions.includes(version ?? ""))
    return undefined;
  if (parts.length === 1) return { namespace: "", name: "", action: parts[0]!, rest: [], query };
  const [word, namespace, resource, name, action, ...rest] = parts;
  if (word !== "namespaces" || !namespace || !resource) return undefined;
  if (parts.length === 3) return { namespace, name: "", action: resource, rest: [], query };
  if (!resources.includes(resource) || !name || !action) return undefined;
  const at = { resource: resource as VmResource, namespace, name, query };
  const both = `${action}/${rest[0]}`;
  return nested.has(both) ? { ...at, action: both, rest: rest.slice(1) } : { ...at, action, rest };
}

const entry = (name: string, verbs: string[], namespaced = true) => ({
  ...{ name, singularName: "", namespaced, kind: "", verbs },
});

const instanceActions: Record<string, string[]> = {
  console: ["get"],
  vnc: ["get"],
  "vnc/screenshot": ["get"],
  portforward: ["get"],
  pause: ["update"],
  unpause: ["update"],
  freeze: ["update"],
  unfreeze: ["update"],
  softreboot: ["update"],
  reset: ["update"],
  "evacuate/cancel": ["update"],
  objectgraph: ["get"],
  guestosinfo: ["get"],
  userlist: ["get"],
  filesystemlist: ["get"],
  addvolume: ["update"],
  removevolume: ["update"],
};
const machineActions: Record<string, string[]> = {
  start: ["update"],
  stop: ["update"],
  restart: ["update"],
  migrate: ["update"],
  "evacuate/cancel": ["update"],
  addvolume: ["update"],
  removevolume: ["update"],
  memorydump: ["update"],
  removememorydump: ["update"],
  portforward: ["get"],
  objectgraph: ["get"],
  "expand-spec": ["get"],
};

const listed = [
  ...Object.entries(machineActions).map(([name, verbs]) => entry(`virtualmachines/${name}`, verbs)),
  ...Object.entries(instanceActions).map(([name, verbs]) =>
    entry(`virtualmachineinstances/${name}`, verbs),
  ),
  entry("expand-vm-spec", ["update"]),
  entry("version", ["get"], false),
  entry("healthz", ["get"], false),
];

/** The APIResourceList of a path that is a group version. */
export function discoveryOf(url: string) {
  const groupVersion = groupVersions.find((one) => url.split("?")[0] === `/apis/${one}`);
  if (!groupVersion) return undefined;
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: listed };
}
