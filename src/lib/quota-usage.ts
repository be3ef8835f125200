// What an object counts for in ResourceQuotas, as admission charges it and the quota controller counts it
// again (pkg/quota/v1/evaluator of Kubernetes). Amounts are plain numbers: cores, bytes, pieces.
import { podRequests } from "./pod-requests.ts";
import { qosClassOf } from "./qos-class.ts";
import { parseQuantity } from "./quantity.ts";

export type Usage = Record<string, number>;

interface Selector {
  scopeName: string;
  operator: string;
  values?: string[];
}

export interface QuotaSpec {
  hard?: Record<string, string | number>;
  scopes?: string[];
  scopeSelector?: { matchExpressions?: Selector[] };
}

const extended = (name: string) => name.includes("/") && !name.startsWith("kubernetes.io/");

/** Pods that have ended, or should have long ago, hold nothing. */
function isOver(pod: any, nowMs: number): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
  if (pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded") return true;
  if (!deletionTimestamp) return false;
  return Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000 < nowMs;
}

/** Limits are added as requests are: a pod's spec with its limits in their place. */
function limitsAsRequests(spec: any) {
  const swap = ({ resources, ...rest }: any) => ({
    ...rest,
    resources: { requests: resources?.limits },
  });
  return {
    containers: spec.containers?.map(swap),
    initContainers: spec.initContainers?.map(swap),
    ...(spec.resources && { resources: { requests: spec.resources.limits } }),
    overhead: spec.overhead,
  };
}

const plain = (name: string, amount: number) => (name === "cpu" ? amount / 1000 : amount);

function podUsage(pod: any, nowMs: number): Usage {
  if (isOver(pod, nowMs)) return { "count/pods": 1 };
  const usage: Usage = { "count/pods": 1, pods: 1 };
  for (const [name, amount] of podRequests(pod.spec)) {
    usage[`requests.${name}`] = plain(name, amount);
    if (!extended(name)) usage[name] = plain(name, amount);
  }
  for (const [name, amount] of podRequests(limitsAsRequests(pod.spec))) {
    if (!extended(name)) usage[`limits.${name}`] = plain(name, amount);
  }
  return usage;
}

function serviceUsage({ spec }: any): Usage {
  const ports = spec.ports?.length ?? 0;
  const balanced = spec.type === "LoadBalancer";
  const opens =
    spec.type === "NodePort" || (balanced && spec.allocateLoadBalancerNodePorts !== false);
  return {
    "count/services": 1,
    services: 1,
    "services.loadbalancers": balanced ? 1 : 0,
    "services.nodeports": opens ? ports : 0,
  };
}

const legacyClass = "volume.beta.kubernetes.io/storage-class";

function claimUsage({ metadata, spec, status }: any): Usage {
  const asked = parseQuantity(spec.resources?.requests?.storage ?? 0);
  const storage = Math.max(asked, parseQuantity(status?.allocatedResources?.storage ?? 0));
  const usage: Usage = {
    "count/persistentvolumeclaims": 1,
    persistentvolumeclaims: 1,
    "requests.storage": storage,
  };
  const name = metadata.annotations?.[legacyClass] ?? spec.storageClassName;
  if (!name) return usage;
  const prefix = `${name}.storageclass.storage.k8s.io`;
  return {
    ...usage,
    [`${prefix}/persistentvolumeclaims`]: 1,
    [`${prefix}/requests.storage`]: storage,
  };
}

/** Kinds that may be limited by their bare name too. */
const bare = new Set(["configmaps", "secrets", "replicationcontrollers", "resourcequotas"]);

/** What `object` counts for; `resource` is `pods`, `deployments.apps`. */
export function usageOf(resource: string, object: any, nowMs: number): Usage {
  if (resource === "pods") return podUsage(object, nowMs);
  if (resource === "services") return serviceUsage(object);
  if (resource === "persistentvolumeclaims") return claimUsage(object);
  return { [`count/${resource}`]: 1, ...(bare.has(resource) && { [resource]: 1 }) };
}

const computed = /^(cpu|memory|ephemeral-storage|hugepages-.*|(requests|limits)\.(?!storage$).*)$/;

/** The resource whose objects count for a quota's name: `pods` for `requests.cpu`. */
export function countedResource(name: string): string {
  if (name.startsWith("count/")) return name.slice("count/".length);
  if (name.startsWith("services.")) return "services";
  if (name === "requests.storage" || name.includes(".storageclass.storage.k8s.io/")) {
    return "persistentvolumeclaims";
  }
  return computed.test(name) ? "pods" : name;
}

const isTerminating = ({ spec }: any) => spec.activeDeadlineSeconds !== undefined;

function selects({ operator, values = [] }: Selector, value: string | undefined): boolean {
  switch (operator) {
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "In":
      return value !== undefined && values.includes(value);
    default:
      return value === undefined || !values.includes(value);
  }
}

const namesOtherNamespaces = (term: any) =>
  (term.namespaces?.length ?? 0) > 0 || term.namespaceSelector !== undefined;

function crossesNamespaces({ spec }: any): boolean {
  const terms = [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].flatMap((one) => [
    ...(one?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(one?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      (term: any) => term.podAffinityTerm,
    ),
  ]);
  return terms.some(namesOtherNamespaces);
}

function inScope(selector: Selector, pod: any): boolean {
  switch (selector.scopeName) {
    case "Terminating":
      return isTerminating(pod);
    case "NotTerminating":
      return !isTerminating(pod);
    case "BestEffort":
      return qosClassOf(pod.spec) === "BestEffort";
    case "NotBestEffort":
      return qosClassOf(pod.spec) !== "BestEffort";
    case "PriorityClass":
      return selects(selector, pod.spec.priorityClassName || undefined);
    case "CrossNamespacePodAffinity":
      return crossesNamespaces(pod);
    default:
      return false;
  }
}

/** True when the quota's scopes, if any, hold for the object. Scopes are about pods. */
export function scopesMatch(quota: QuotaSpec, resource: string, object: any): boolean {
  const selectors = [
    ...(quota.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" })),
    ...(quota.scopeSelector?.matchExpressions ?? []),
  ];
  if (selectors.length === 0) return true;
  return resource === "pods" && selectors.every((selector) => inScope(selector, object));
}

const binaryUnits = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];

/** An amount as people write it: `500m` of cpu, `256Mi` of bytes, `3` of anything else. */
export function printAmount(name: string, amount: number): string {
  if (/(^|\.)cpu$/.test(name)) {
    const milli = Math.round(amount * 1000);
    return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
  }
  if (!/(memory|storage|hugepages-\w+)$/.test(name)) return String(amount);
  let [left, unit] = [amount, 0];
  while (left > 0 && left % 1024 === 0 && unit < binaryUnits.length - 1)
    [left, unit] = [left / 1024, unit + 1];
  return `${left}${binaryUnits[unit]}`;
}
