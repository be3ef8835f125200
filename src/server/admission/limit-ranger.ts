// LimitRanges: what containers of a namespace get when they do not say, and what they may ask for.
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { isAbout, refuse } from "./refuse.ts";

type Quantities = Record<string, string | number>;

export interface LimitRangeItem {
  type: string;
  min?: Quantities;
  max?: Quantities;
  default?: Quantities;
  defaultRequest?: Quantities;
  maxLimitRequestRatio?: Quantities;
}

interface Resources {
  requests?: Quantities;
  limits?: Quantities;
}

const annotation = "kubernetes.io/limit-ranger";

const itemsOf = (ranges: KubeObject[], type: string): LimitRangeItem[] =>
  ranges.flatMap(({ spec }) => spec.limits ?? []).filter((item) => item.type === type);

const containersOf = (spec: any) => [...(spec.containers ?? []), ...(spec.initContainers ?? [])];

/** Defaults for containers: a limit defaults to the maximum, a request to the limit, then the minimum. */
function defaultsOf(items: LimitRangeItem[]): Required<Resources> {
  const limits: Quantities = {};
  const requests: Quantities = {};
  for (const item of items) {
    const limit = { ...item.max, ...item.default };
    Object.assign(limits, limit);
    Object.assign(requests, { ...item.min, ...limit, ...item.defaultRequest });
  }
  return { limits, requests };
}

/** A container with what it leaves out filled in; `told` gathers what was set, for the annotation. */
function filled(container: any, defaults: Required<Resources>, kind: string, told: string[]) {
  const resources = { ...container.resources };
  for (const field of ["requests", "limits"] as const) {
    const present = resources[field] ?? {};
    const missing = Object.keys(defaults[field])
      .filter((name) => present[name] === undefined)
      .sort();
    if (missing.length === 0) continue;
    const added = Object.fromEntries(missing.map((name) => [name, defaults[field][name]]));
    resources[field] = { ...present, ...added };
    const what = field === "requests" ? "request" : "limit";
    told.push(`${missing.join(", ")} ${what} for ${kind} ${container.name}`);
  }
  return { ...container, resources };
}

/** Fills the defaults of `ranges` into a pod. */
export function applyDefaults(pod: KubeObject, ranges: KubeObject[]) {
  const defaults = defaultsOf(itemsOf(ranges, "Container"));
  const told: string[] = [];
  const fill = (containers: any[], kind: string) =>
    containers.map((container) => filled(container, defaults, kind, told));
  const { containers = [], initContainers } = pod.spec;
  const next = { ...pod.spec, containers: fill(containers, "container") };
  if (initContainers) next.initContainers = fill(initContainers, "init container");
  if (told.length === 0) return;
  pod.spec = next;
  const text = `LimitRanger plugin set: ${told.join("; ")}`;
  pod.metadata.annotations = { ...pod.metadata.annotations, [annotation]: text };
}

/** What of `asked` an item does not allow, in upstream's sentences. */
export function violations(item: LimitRangeItem, { requests = {}, limits = {} }: Resources) {
  const found: string[] = [];
  const { type } = item;
  for (const [name, min] of Object.entries(item.min ?? {})) {
    const bound = `minimum ${name} usage per ${type} is ${min}`;
    if (requests[name] === undefined) found.push(`${bound}.  No request is specified`);
    else if (parseQuantity(requests[name]) < parseQuantity(min)) {
      found.push(`${bound}, but request is ${requests[name]}`);
    } else if (limits[name] !== undefined && parseQuantity(limits[name]) < parseQuantity(min)) {
      found.push(`${bound}, but limit is ${limits[name]}`);
    }
  }
  for (const [name, max] of Object.entries(item.max ?? {})) {
    const bound = `maximum ${name} usage per ${type} is ${max}`;
    if (limits[name] === undefined && type !== "PersistentVolumeClaim") {
      found.push(`${bound}.  No limit is specified`);
    }
    for (const [what, value] of [
      ["limit", limits[name]],
      ["request", requests[name]],
    ] as const) {
      if (value === undefined || parseQuantity(value) <= parseQuantity(max)) continue;
      found.push(`${bound}, but ${what} is ${value}`);
      break;
    }
  }
  for (const [name, most] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    const bound = `${name} max limit to request ratio per ${type} is ${most}, but`;
    const [request, limit] = [requests[name], limits[name]].map((q) => parseQuantity(q ?? 0));
    if (!request) found.push(`${bound} no request is specified or request is 0`);
    else if (!limit) found.push(`${bound} no limit is specified or limit is 0`);
    else if (limit / request > parseQuantity(most)) {
      found.push(`${bound} provided ratio is ${(limit / request).toFixed(6)}`);
    }
  }
  return found;
}

const add = (into: Record<string, number>, from: Quantities = {}) => {
  for (const name in from) into[name] = (into[name] ?? 0) + parseQuantity(from[name]!);
  return into;
};

const raise = (into: Record<string, number>, from: Record<string, number>) => {
  for (const name in from) into[name] = Math.max(into[name] ?? 0, from[name]!);
};

/**
 * The larger of a pod's containers together and any moment of its initialization, where a sidecar keeps its
 * share from its start on; what the pod itself says holds instead.
 */
export function totalOf(spec: any): Resources {
  const sum = (field: "requests" | "limits") => {
    const total: Record<string, number> = {};
    for (const { resources } of spec.containers ?? []) add(total, resources?.[field]);
    const sidecars: Record<string, number> = {};
    const starting: Record<string, number> = {};
    for (const { resources, restartPolicy } of spec.initContainers ?? []) {
      const stays = restartPolicy === "Always";
      if (stays) add(total, resources?.[field]);
      raise(starting, add(stays ? sidecars : { ...sidecars }, resources?.[field]));
    }
    raise(total, starting);
    return { ...total, ...spec.resources?.[field] };
  };
  return { requests: sum("requests"), limits: sum("limits") };
}

function check(request: AdmissionRequest, found: string[]) {
  if (found.length === 0) return;
  throw refuse(request, found.length === 1 ? found[0]! : `[${found.join(", ")}]`);
}

const isResize = ({ kind, subresource }: AdmissionRequest) =>
  kind.group === "" && kind.plural === "pods" && subresource === "resize";

export function limitRanger(reader: ObjectReader): Admission {
  const ranges = ({ namespace }: AdmissionRequest) => reader.list(`limitranges/${namespace}/`);
  return {
    name: "LimitRanger",
    async mutate(request) {
      if (request.operation !== "CREATE" || !isAbout(request, "pods")) return;
      const found = await ranges(request);
      if (found.length > 0) applyDefaults(request.object!, found);
    },
    async validate(request) {
      const { operation, object } = request;
      const isClaim = isAbout(request, "persistentvolumeclaims");
      const isPod =
        operation === "CREATE"
          ? isAbout(request, "pods")
          : operation === "UPDATE" && isResize(request);
      if (!isPod && !(isClaim && (operation === "CREATE" || operation === "UPDATE"))) return;
      const found = await ranges(request);
      if (found.length === 0) return;
      if (isClaim) {
        const items = itemsOf(found, "PersistentVolumeClaim");
        const { requests } = object!.spec.resources ?? {};
        return check(
          request,
          items.flatMap((item) => violations(item, { requests })),
        );
      }
      const containers = itemsOf(found, "Container").flatMap((item) =>
        containersOf(object!.spec).flatMap((one) => violations(item, one.resources ?? {})),
      );
      const total = totalOf(object!.spec);
      const pods = itemsOf(found, "Pod").flatMap((item) => violations(item, total));
      check(request, [...containers, ...pods]);
    },
  };
}
