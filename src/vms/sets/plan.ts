// So many of one template, decided: VMIs of a replica set and machines of a pool. Pure.
import { byAge, isReady } from "../../controllers/pod-state.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { isFinal } from "../machine/run-strategy.ts";

export interface SetPlan {
  create: number;
  delete: KubeObject[];
}

/** Made or deleted in one pass at most. */
export const burstMax = 10;

const isLeaving = ({ metadata }: KubeObject) => metadata.deletionTimestamp !== undefined;

/** VMIs that are over are deleted and replaced; of too many, those that are not ready go first, then the youngest. */
export function planInstances(set: KubeObject, own: KubeObject[]): SetPlan {
  const over = own.filter((one) => isFinal(one) && !isLeaving(one));
  const active = own.filter((one) => !isFinal(one) && !isLeaving(one));
  if (set.spec.paused) return { create: 0, delete: [] };
  const wanted: number = set.spec.replicas ?? 1;
  const order = [...active].sort((a, b) => Number(isReady(a)) - Number(isReady(b)) || -byAge(a, b));
  const surplus = Math.max(active.length - wanted, 0);
  return {
    create: Math.min(Math.max(wanted - active.length, 0), burstMax),
    delete: [...over, ...order.slice(0, surplus)].slice(0, burstMax),
  };
}

const ordinalOf = (pool: KubeObject, { metadata }: KubeObject): number => {
  const prefix = `${pool.metadata.name}-`;
  const rest = metadata.name.startsWith(prefix) ? metadata.name.slice(prefix.length) : "";
  return /^\d+$/.test(rest) ? Number(rest) : -1;
};

export interface PoolPlan {
  /** Ordinals. */
  create: number[];
  delete: KubeObject[];
}

/** The lowest free ordinals are taken, and the highest given back. */
export function planPool(pool: KubeObject, own: KubeObject[]): PoolPlan {
  if (pool.spec.paused) return { create: [], delete: [] };
  const wanted: number = pool.spec.replicas ?? 1;
  const taken = new Set(own.map((vm) => ordinalOf(pool, vm)));
  const active = own.filter((vm) => !isLeaving(vm));
  const missing = Math.min(wanted - active.length, burstMax);
  const create: number[] = [];
  for (let i = 0; create.length < missing; i++) if (!taken.has(i)) create.push(i);
  const last = [...active].sort((a, b) => ordinalOf(pool, b) - ordinalOf(pool, a));
  const surplus = Math.max(active.length - wanted, 0);
  return { create, delete: last.slice(0, Math.min(surplus, burstMax)) };
}

/** The machine of an ordinal; DataVolumes of its templates are its own. */
export function poolMachine(pool: KubeObject, ordinal: number): Draft {
  const { metadata, spec } = structuredClone(pool.spec.virtualMachineTemplate);
  const renamed = new Map<string, string>();
  for (const template of spec.dataVolumeTemplates ?? []) {
    const name = `${template.metadata.name}-${ordinal}`;
    renamed.set(template.metadata.name, name);
    template.metadata.name = name;
  }
  for (const volume of spec.template.spec.volumes ?? []) {
    const { dataVolume, persistentVolumeClaim } = volume;
    if (dataVolume) dataVolume.name = renamed.get(dataVolume.name) ?? dataVolume.name;
    const claim = persistentVolumeClaim?.claimName;
    if (claim) persistentVolumeClaim.claimName = renamed.get(claim) ?? claim;
  }
  return {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachine",
    metadata: {
      name: `${pool.metadata.name}-${ordinal}`,
      labels: { ...metadata?.labels },
      annotations: { ...metadata?.annotations },
    },
    spec,
  };
}

const selectorText = ({ matchLabels = {} }: any = {}) =>
  Object.entries(matchLabels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");

export function setStatus(set: KubeObject, own: KubeObject[]) {
  const active = own.filter((one) => !isLeaving(one) && !isFinal(one));
  const conditions = (set.status?.conditions ?? []).filter(
    ({ type }: any) => type !== "ReplicaPaused",
  );
  return {
    ...set.status,
    replicas: active.length,
    readyReplicas: active.filter(isReady).length,
    labelSelector: selectorText(set.spec.selector),
    conditions: [
      ...conditions,
      ...(set.spec.paused
        ? [
            {
              type: "ReplicaPaused",
              status: "True",
              reason: "Paused",
              message: "Controller got paused",
            },
          ]
        : []),
    ],
  };
}
