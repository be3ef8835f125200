// Which clients an endpoint is meant for, by zone and node (KEP-2433, KEP-2086, KEP-3015). All pure.
//
// `spec.trafficDistribution` asks for what is near, whatever the load: every endpoint is for its own zone, and
// with PreferSameNode for its own node. The annotation service.kubernetes.io/topology-mode: Auto asks for
// shares of endpoints in proportion to the zones' CPUs, and for nothing at all when a share would have more
// than a fifth too much to do.
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";

export interface Hinted {
  zone?: string;
  nodeName?: string;
  conditions: { ready: boolean };
  hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
}

const zoneLabel = "topology.kubernetes.io/zone";
const modeAnnotation = "service.kubernetes.io/topology-mode";
const oldModeAnnotation = "service.kubernetes.io/topology-aware-hints";
/** How much more than its share an endpoint may get. */
const overload = 0.2;
const controlPlane = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

const forZone = (name: string) => ({ forZones: [{ name }] });

/** CPU cores by zone of the nodes that take pods; undefined when one of them says too little. */
export function cpusByZone(nodes: KubeObject[]): Map<string, number> | undefined {
  const cpus = new Map<string, number>();
  for (const { metadata, status } of nodes) {
    if (controlPlane.some((label) => metadata.labels?.[label] !== undefined)) continue;
    const ready = status?.conditions?.some(
      (one: any) => one.type === "Ready" && one.status === "True",
    );
    if (!ready) continue;
    const zone = metadata.labels?.[zoneLabel];
    const amount = parseQuantity(status.allocatable?.cpu ?? "0");
    if (!zone || !(amount > 0)) return undefined;
    cpus.set(zone, (cpus.get(zone) ?? 0) + amount);
  }
  return cpus;
}

/** At least and at most how many of `count` endpoints each zone is to have; undefined when it cannot be fair. */
export function sharesOf(count: number, cpus: Map<string, number>) {
  if (cpus.size < 2 || cpus.size > count) return undefined;
  const all = [...cpus.values()].reduce((sum, one) => sum + one, 0);
  const shares = new Map<string, { least: number; most: number }>();
  let spare = count;
  for (const [zone, cpu] of cpus) {
    const least = Math.ceil((count * (cpu / all)) / (1 + overload));
    spare -= least;
    shares.set(zone, { least, most: least });
  }
  if (spare < 0) return undefined;
  for (const share of shares.values()) share.most += spare;
  return shares;
}

/** The zone that each of the endpoints is for, in their order; undefined when there is no fair way. */
export function allotZones(zones: (string | undefined)[], cpus: Map<string, number> | undefined) {
  const shares = cpus && sharesOf(zones.length, cpus);
  if (!shares || zones.some((zone) => !zone || !shares.has(zone))) return undefined;
  const given = new Map<string, number>();
  const give = (zone: string) => {
    given.set(zone, (given.get(zone) ?? 0) + 1);
    return zone;
  };
  const count = (zone: string) => given.get(zone) ?? 0;
  const allotted: (string | undefined)[] = zones.map((zone) =>
    count(zone!) < shares.get(zone!)!.least ? give(zone!) : undefined,
  );
  for (const [i, zone] of zones.entries()) {
    if (allotted[i]) continue;
    const poor = [...shares].find(([name, { least }]) => count(name) < least)?.[0];
    allotted[i] = give(poor ?? zone!);
  }
  return allotted as string[];
}

function near<E extends Hinted>(endpoint: E, isByNode: boolean): E {
  const { zone, nodeName, conditions } = endpoint;
  if (!conditions.ready) return endpoint;
  const forNodes = isByNode && nodeName ? { forNodes: [{ name: nodeName }] } : {};
  const hints = { ...(zone && forZone(zone)), ...forNodes };
  return Object.keys(hints).length > 0 ? { ...endpoint, hints } : endpoint;
}

/** The endpoints of one Service with the hints it asks for. */
export function withHints<E extends Hinted>(
  service: KubeObject,
  endpoints: E[],
  nodes: () => KubeObject[],
): E[] {
  const annotations = service.metadata.annotations ?? {};
  const mode = annotations[modeAnnotation] ?? annotations[oldModeAnnotation] ?? "";
  if (mode.toLowerCase() === "auto") {
    const ready = endpoints.filter(({ conditions }) => conditions.ready);
    const allotted = allotZones(
      ready.map(({ zone }) => zone),
      cpusByZone(nodes()),
    );
    if (!allotted) return endpoints;
    const zones = new Map(ready.map((endpoint, i) => [endpoint, allotted[i]!]));
    return endpoints.map((endpoint) => {
      const zone = zones.get(endpoint);
      return zone ? { ...endpoint, hints: forZone(zone) } : endpoint;
    });
  }
  const distribution = service.spec.trafficDistribution;
  if (!["PreferClose", "PreferSameZone", "PreferSameNode"].includes(distribution)) return endpoints;
  return endpoints.map((endpoint) => near(endpoint, distribution === "PreferSameNode"));
}
