// ResourceQuotas: what a namespace may hold. A create or a growing update is charged to every quota that it
// matches by a guarded write of the quota's status, before the object itself is written, so two writers never
// share the last piece. What is charged and then not written, or deleted, the quota controller gives back.
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { countedResource, printAmount, scopesMatch, usageOf } from "../../lib/quota-usage.ts";
import type { Usage } from "../../lib/quota-usage.ts";
import { RevisionMismatch, type Store } from "../../store/store.ts";
import { encodeBody } from "../encode.ts";
import type { Admission, AdmissionRequest } from "../policy.ts";
import type { ObjectReader } from "./object-reader.ts";
import { refuse } from "./refuse.ts";

/** How often a charge that lost a race is tried again. */
const triesMax = 100;

const nameOf = ({ kind }: AdmissionRequest) =>
  kind.group ? `${kind.plural}.${kind.group}` : kind.plural;

/** Quotas count objects themselves, and pods whose resources change in place. */
const isCharged = ({ subresource, kind }: AdmissionRequest) =>
  subresource === "" || (kind.plural === "pods" && kind.group === "" && subresource === "resize");

/** What of `usage` the quota limits and the write adds. */
function growth(quota: KubeObject, usage: Usage, before: Usage): Usage {
  const added: Usage = {};
  for (const name of Object.keys(quota.spec.hard ?? {})) {
    const more = (usage[name] ?? 0) - (before[name] ?? 0);
    if (usage[name] !== undefined && more > 0) added[name] = more;
  }
  return added;
}

const listed = (amounts: Usage) =>
  Object.keys(amounts)
    .sort()
    .map((name) => `${name}=${printAmount(name, amounts[name]!)}`)
    .join(",");

/** Computed resources that a quota limits must be stated by every container. */
function unstated(quota: KubeObject, pod: any): string[] {
  const missing: string[] = [];
  for (const name of Object.keys(quota.spec.hard ?? {}).sort()) {
    const [, list, resource] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(name) ?? [];
    if (!resource) continue;
    const field = list ?? "requests";
    if (pod.spec.resources?.[field]?.[resource] !== undefined) continue;
    const silent = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].filter(
      (container: any) => container.resources?.[field]?.[resource] === undefined,
    );
    if (silent.length === 0) continue;
    missing.push(`${name} for: ${silent.map((container: any) => container.name).join(",")}`);
  }
  return missing;
}

/** The quota's status with `added` charged; throws Forbidden when it does not fit. Pure. */
export function charge(request: AdmissionRequest, quota: KubeObject, added: Usage): KubeObject {
  const { hard, used } = { hard: {}, used: {}, ...quota.status } as Record<string, any>;
  const unknown = Object.keys(added).filter((name) => hard[name] === undefined);
  const { name } = quota.metadata;
  if (unknown.length > 0) {
    throw refuse(
      request,
      `status unknown for quota: ${name}, resources: ${unknown.sort().join(",")}`,
    );
  }
  const before: Usage = {};
  const over: Usage = {};
  const next = { ...used };
  for (const [resource, more] of Object.entries(added)) {
    before[resource] = parseQuantity(used[resource] ?? 0);
    const sum = before[resource] + more;
    if (sum > parseQuantity(hard[resource])) over[resource] = more;
    next[resource] = printAmount(resource, sum);
  }
  const names = Object.keys(over);
  if (names.length > 0) {
    const of = (all: Record<string, any>) =>
      listed(Object.fromEntries(names.map((one) => [one, parseQuantity(all[one])])));
    throw refuse(
      request,
      `exceeded quota: ${name}, requested: ${listed(over)}, used: ${of(before)}, limited: ${of(hard)}`,
    );
  }
  return { ...quota, status: { ...quota.status, used: next } };
}

export interface ResourceQuotaOptions {
  store: Store;
  reader: ObjectReader;
  clock: Clock;
}

export function resourceQuota({ store, reader, clock }: ResourceQuotaOptions): Admission {
  /** Charges one quota; loses no race and no charge. */
  async function chargeStored(request: AdmissionRequest, key: string, added: Usage) {
    for (let tries = 1; ; tries++) {
      const entry = await store.get(key);
      if (!entry) return;
      const charged = charge(request, parseShared(entry.value), added);
      if (request.dryRun) return;
      try {
        await store.update(key, entry.revision, encodeBody(charged));
        return;
      } catch (error) {
        if (!(error instanceof RevisionMismatch) || tries >= triesMax) throw error;
      }
    }
  }

  return {
    name: "ResourceQuota",
    async validate(request) {
      const { operation, object, old, namespace } = request;
      if (!namespace || !object || !isCharged(request)) return;
      if (operation !== "CREATE" && operation !== "UPDATE") return;
      const quotas = await reader.list(`resourcequotas/${namespace}/`);
      if (quotas.length === 0) return;
      const resource = nameOf(request);
      const usage = usageOf(resource, object, clock.now());
      for (const quota of quotas) {
        const names = Object.keys(quota.spec.hard ?? {});
        if (!names.some((name) => countedResource(name) === resource)) continue;
        if (!scopesMatch(quota.spec, resource, object)) continue;
        const missing =
          resource === "pods" && operation === "CREATE" ? unstated(quota, object) : [];
        if (missing.length > 0) {
          throw refuse(
            request,
            `failed quota: ${quota.metadata.name}: must specify ${missing.join("; ")}`,
          );
        }
        const wasCounted = old && scopesMatch(quota.spec, resource, old);
        const before = wasCounted ? usageOf(resource, old, clock.now()) : {};
        const added = growth(quota, usage, before);
        if (Object.keys(added).length === 0) continue;
        await chargeStored(request, `resourcequotas/${namespace}/${quota.metadata.name}`, added);
      }
    },
  };
}
