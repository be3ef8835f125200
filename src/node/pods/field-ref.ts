// `fieldRef` and `resourceFieldRef`, for env and for downwardAPI volumes. Pure.
import { parseQuantity } from "../../lib/quantity.ts";
import { allContainers } from "./pod.ts";
import type { Pod } from "./pod.ts";

export interface NodeFacts {
  nodeName: string;
  hostIps: string[];
  /** Allocatable, as in the Node's status: the limit of a container that has none. */
  allocatable: Record<string, string>;
}

/** As upstream writes maps into files and variables: `key="value"` lines. */
const mapText = (map: Record<string, string> | undefined) =>
  Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${JSON.stringify(map![key])}`)
    .join("\n");

/** `undefined` for a path that names no field. */
export function fieldValue(pod: Pod, path: string, facts: NodeFacts, podIps: string[]) {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path);
  if (keyed) return metadata[keyed[1] as "labels"]?.[keyed[2]!] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid;
    case "metadata.labels":
      return mapText(metadata.labels);
    case "metadata.annotations":
      return mapText(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? facts.nodeName;
    case "spec.serviceAccountName":
      return String(spec["serviceAccountName"] ?? "");
    case "status.hostIP":
      return facts.hostIps[0] ?? "";
    case "status.hostIPs":
      return facts.hostIps.join(",");
    case "status.podIP":
      return podIps[0] ?? "";
    case "status.podIPs":
      return podIps.join(",");
    default:
      return undefined;
  }
}

export interface ResourceFieldRef {
  containerName?: string;
  resource: string;
  divisor?: string | number;
}

export function resourceValue(pod: Pod, ref: ResourceFieldRef, facts: NodeFacts, own = "") {
  const name = ref.containerName ?? own;
  const container = allContainers(pod).find((one) => one.name === name);
  if (!container) throw new Error(`container ${name} not found`);
  const dot = ref.resource.indexOf(".");
  const [list, resource] = [ref.resource.slice(0, dot), ref.resource.slice(dot + 1)];
  const { limits = {}, requests = {} } = container.resources ?? {};
  const asked = list === "limits" ? limits[resource] : (requests[resource] ?? limits[resource]);
  const value = asked ?? (list === "limits" ? facts.allocatable[resource] : undefined) ?? "0";
  const divisor = parseQuantity(ref.divisor ?? "1") || 1;
  return String(Math.ceil(parseQuantity(value) / divisor));
}
