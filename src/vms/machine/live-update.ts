// What becomes of edits to a machine that runs, as KubeVirt's rollout strategies have it: where it may run goes on to its
// instance, and whatever else was edited waits for a restart, which is said. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isHotplugged } from "../instance/launcher-volumes.ts";

export type Rollout = "LiveUpdate" | "Stage";

const placing = ["nodeSelector", "affinity", "tolerations"] as const;

const notLive = "a non-live-updatable field was changed in the template spec";
const moreSockets = "CPU sockets updated in template spec to a value higher than what's available";
const fewerSockets = "Reduction of CPU socket count requires a restart";
const otherMemory =
  "memory updated in template spec. Memory-hotplug is not available for this VM configuration";

export interface Edited {
  vm: KubeObject;
  /** The machine's spec when its instance was made. */
  started: any;
  /** Of the template as it is now, sized. */
  expanded: any;
  instance: KubeObject;
  rollout: Rollout;
}

export type LiveUpdate = { restart: string } | { spec: any } | undefined;

const sockets = ({ template }: any): number => template.spec.domain.cpu?.sockets ?? 1;
const guestMemory = ({ template }: any) => template.spec.domain.memory?.guest;

/** Volumes that are plugged into a running instance are no reason to restart it. */
function withoutPlugged({ volumes = [], domain, ...spec }: any) {
  const plugged = new Set(volumes.filter(isHotplugged).map(({ name }: any) => name));
  const without = (list: any[] = []) => list.filter(({ name }) => !plugged.has(name));
  const devices = { ...domain.devices, disks: without(domain.devices?.disks) };
  return { ...spec, volumes: without(volumes), domain: { ...domain, devices } };
}

/** What no running instance takes on. */
function lasting({ template, instancetype, preference }: any, rollout: Rollout) {
  const spec = withoutPlugged(template.spec);
  const sizes = [instancetype, preference].map((one) => [one?.kind, one?.name]);
  if (rollout === "Stage") return [sizes, spec];
  for (const field of placing) delete spec[field];
  const { cpu, memory, ...domain } = spec.domain;
  const { sockets: _, ...rest } = cpu ?? {};
  const { guest: __, ...others } = memory ?? {};
  return [sizes, { ...spec, domain: { ...domain, cpu: cpu && rest, memory: others } }];
}

const isMoving = ({ status }: KubeObject) =>
  status?.migrationState !== undefined && !status.migrationState.completed;

/** Undefined where there is nothing to do, or not while it moves. */
export function planLiveUpdate({ vm, started, expanded, instance, rollout }: Edited): LiveUpdate {
  const now = vm.spec;
  if (!jsonEqual(lasting(started, rollout), lasting(now, rollout))) return { restart: notLive };
  if (rollout === "Stage") return undefined;
  const more = sockets(now) - sockets(started);
  if (more !== 0) return { restart: more > 0 ? moreSockets : fewerSockets };
  if (guestMemory(now) !== guestMemory(started)) return { restart: otherMemory };
  const changed = placing.filter((field) => !jsonEqual(expanded[field], instance.spec[field]));
  if (changed.length === 0 || isMoving(instance)) return undefined;
  const spec = { ...instance.spec };
  for (const field of changed) {
    if (expanded[field] === undefined) delete spec[field];
    else spec[field] = expanded[field];
  }
  return { spec };
}
