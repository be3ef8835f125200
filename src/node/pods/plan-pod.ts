// What to do next for a pod, from what it should be, what it is and what is under way. Pure: the worker
// carries the actions out, each as a job named by its `key`, and asks again whenever something changed.
import { hasExited, isRunning } from "./instances.ts";
import type { Instance, Instances } from "./instances.ts";
import { isInitialized, mainsBegun, phaseOf, willRestart } from "./phase.ts";
import { isSidecar } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";
import { resizableContainers, resizeOf } from "../resize/allocation.ts";
import { crashedUntil, podTrouble } from "./pod-state.ts";
import type { PodState } from "./pod-state.ts";
import type { Resized } from "../resize/resizer.ts";

export type Action =
  | { do: "volumes"; key: string }
  | { do: "sandbox"; key: string; attempt: number }
  | { do: "image"; key: string; container: Container }
  | { do: "start"; key: string; container: Container; attempt: number; sandboxId: string }
  | { do: "kill"; key: string; container: Container; id: string; graceMs: number; why: string }
  | { do: "stop"; key: string; ids: string[] }
  | { do: "resize"; key: string; containers: Resized[] }
  /** Its active deadline has passed. */
  | { do: "end"; key: string }
  /** All has stopped: say so, let the API forget the pod, and clean up. */
  | { do: "finish"; key: string };

export interface Plan {
  actions: Action[];
  /** Wall clock, milliseconds: when to ask again at the latest. */
  wakeAt: number | undefined;
}

interface View {
  pod: Pod;
  instances: Instances;
  state: PodState;
  now: number;
}

class Planner implements Plan {
  readonly actions: Action[] = [];
  wakeAt: number | undefined;
  readonly view: View;

  constructor(view: View) {
    this.view = view;
  }

  add(action: Action) {
    const isBegun = this.actions.some(({ key }) => key === action.key);
    if (!isBegun && !this.view.state.busy.has(action.key)) this.actions.push(action);
  }

  wake(at: number) {
    this.wakeAt = Math.min(this.wakeAt ?? Infinity, at);
  }

  /** False while what failed must rest. */
  rested(name: string): boolean {
    const trouble = this.view.state.trouble.get(name);
    if (!trouble || trouble.retryAt <= this.view.now) return true;
    this.wake(trouble.retryAt);
    return false;
  }

  kill(container: Container, { id }: Instance, graceMs: number, why = "") {
    this.add({ do: "kill", key: `kill/${container.name}`, container, id, graceMs, why });
  }
}

export const graceMsOf = (pod: Pod) => (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;

/** Kills mains together, then sidecars one by one, last first. True when all have stopped. */
function stopAll(plan: Planner, graceMs: number): boolean {
  const { pod, instances } = plan.view;
  const inits = pod.spec.initContainers ?? [];
  const running = (one: Container) => isRunning(instances.newest.get(one.name));
  const groups = [
    [
      ...(pod.spec.ephemeralContainers ?? []),
      ...pod.spec.containers,
      ...inits.filter((one) => !isSidecar(one)),
    ],
    ...inits
      .filter(isSidecar)
      .reverse()
      .map((one) => [one]),
  ];
  const group = groups.find((containers) => containers.some(running));
  for (const one of (group ?? []).filter(running)) {
    plan.kill(one, instances.newest.get(one.name)!, graceMs);
  }
  return !group;
}

function planTermination(plan: Planner) {
  const { pod, instances, state, now } = plan.view;
  const { deletionTimestamp } = pod.metadata;
  const starting = [...state.busy].some(
    (key) => key === "sandbox" || key === "volumes" || key.startsWith("start/"),
  );
  const ownGraceMs = state.ending?.graceMs ?? graceMsOf(pod);
  const due = deletionTimestamp ? Date.parse(deletionTimestamp) : now + ownGraceMs;
  const graceMs = state.gone ? 0 : Math.max(due - now, 0);
  const stopped = stopAll(plan, graceMs);
  if (state.gone && [...state.busy].some((key) => key.startsWith("kill/")) && instances.sandbox) {
    plan.add({ do: "stop", key: "stop", ids: [instances.sandbox.id] });
  }
  if (!stopped || starting) return;
  if (instances.sandbox) plan.add({ do: "stop", key: "stop", ids: [instances.sandbox.id] });
  else if ((deletionTimestamp || state.gone) && !state.finished) {
    plan.add({ do: "finish", key: "finish" });
  }
}

const wantImage = (plan: Planner, container: Container) =>
  plan.add({ do: "image", key: `image/${container.name}`, container });

/**
 * Brings all images for a sandbox that depends on them. True when there is nothing to wait for: something has its image
 * that may start at once, and nobody's is on its way; one that cannot be had keeps nobody back.
 */
function planImages(plan: Planner): boolean {
  const { pod, state } = plan.view;
  const { containers, initContainers = [] } = pod.spec;
  const all = [...initContainers, ...containers];
  const first = initContainers.length > 0 ? initContainers.slice(0, 1) : containers;
  const isHere = ({ name }: Container) => state.images.has(name);
  const missing = all.filter((one) => !isHere(one));
  for (const one of missing) if (plan.rested(one.name)) wantImage(plan, one);
  return first.some(isHere) && missing.every(({ name }) => state.trouble.has(name));
}

/** Brings up what a container's next start needs, and then starts it. */
function wantStart(plan: Planner, container: Container, before: Instance | undefined) {
  const { state, instances } = plan.view;
  const { name } = container;
  if (state.busy.has(`start/${name}`) || state.busy.has(`kill/${name}`)) return;
  if (!plan.rested(name)) return;
  if (!state.images.has(name)) wantImage(plan, container);
  else if (instances.sandbox && state.volumesReady && !state.busy.has("sandbox")) {
    const attempt = before ? before.attempt + 1 : 0;
    const sandboxId = instances.sandbox.id;
    plan.add({ do: "start", key: `start/${name}`, container, attempt, sandboxId });
  }
}

/** Keeps a container running; `restart` decides whether an exit is the end. */
function keep(plan: Planner, container: Container, restart: (exitCode: number) => boolean) {
  const { instances, state, now, pod } = plan.view;
  const instance = instances.newest.get(container.name);
  if (!instance || instance.state === "created") return wantStart(plan, container, instance);
  const mustRestart = resizeOf(container, instance, state.resize.sizes) === "restart";
  if (isRunning(instance)) {
    const { unhealthy, graceSeconds } = state.probes.get(instance.id) ?? {};
    const graceMs = graceSeconds === undefined ? graceMsOf(pod) : graceSeconds * 1000;
    if (unhealthy) plan.kill(container, instance, graceMs, unhealthy);
    else if (mustRestart) {
      const why = `Container ${container.name} resize requires restart`;
      plan.kill(container, instance!, graceMs, why);
    }
    return;
  }
  if (mustRestart) return wantStart(plan, container, instance);
  if (!restart(instance.exitCode)) return;
  const crashed = crashedUntil(state, instance, now);
  if (crashed) plan.wake(crashed.until);
  else wantStart(plan, container, instance);
}

/** Runs init containers in order; true when the main containers may start. */
function planInits(plan: Planner): boolean {
  const { pod, instances, state } = plan.view;
  const begun = mainsBegun(pod, instances);
  for (const container of pod.spec.initContainers ?? []) {
    const instance = instances.newest.get(container.name);
    if (isSidecar(container)) {
      keep(plan, container, () => true);
      const started = isRunning(instance) && (state.probes.get(instance!.id)?.started ?? false);
      if (!started && !begun) return false;
    } else if (!begun) {
      const here = instance?.sandboxId === instances.sandbox?.id;
      if (here && isInitialized(instances, container)) continue;
      if (instance && !here && hasExited(instance)) wantStart(plan, container, instance);
      else keep(plan, container, (exitCode) => exitCode !== 0);
      return false;
    }
  }
  return true;
}

function planDeadline(plan: Planner): boolean {
  const { pod, now } = plan.view;
  const seconds = pod.spec.activeDeadlineSeconds;
  const startTime = pod.status?.startTime;
  if (seconds === undefined || !startTime) return false;
  const due = Date.parse(startTime) + seconds * 1000;
  if (due > now) plan.wake(due);
  else plan.add({ do: "end", key: "end" });
  return due <= now;
}

/** Running containers that can be sized where they are. */
function planResize(plan: Planner) {
  const { pod, instances, state } = plan.view;
  const containers = resizableContainers(pod).flatMap((container) => {
    const instance = instances.newest.get(container.name);
    const running = isRunning(instance) && !state.busy.has(`kill/${container.name}`);
    const how = running && resizeOf(container, instance!, state.resize.sizes);
    return how === "update" ? [{ container, instance: instance! }] : [];
  });
  if (containers.length > 0 && plan.rested(podTrouble.resize)) {
    plan.add({ do: "resize", key: "resize", containers });
  }
}

function planLife(plan: Planner) {
  const { pod, instances, state } = plan.view;
  if (planDeadline(plan)) return;
  const waits = !instances.sandbox && state.imagesFirst && !planImages(plan);
  if (!instances.sandbox && !waits && plan.rested(podTrouble.sandbox)) {
    plan.add({ do: "sandbox", key: "sandbox", attempt: instances.attempt + 1 });
  }
  if (!state.volumesReady && plan.rested(podTrouble.volumes))
    plan.add({ do: "volumes", key: "volumes" });
  if (waits || !planInits(plan)) return;
  planResize(plan);
  for (const container of pod.spec.containers) {
    keep(plan, container, (exitCode) => willRestart(pod, container, exitCode));
  }
  if (!mainsBegun(pod, instances)) return;
  for (const container of pod.spec.ephemeralContainers ?? []) keep(plan, container, () => false);
}

export function planPod(pod: Pod, instances: Instances, state: PodState, now: number): Plan {
  const plan = new Planner({ pod, instances, state, now });
  if (pod.metadata.deletionTimestamp || state.gone || state.ending) {
    planTermination(plan);
    return plan;
  }
  const phase = phaseOf(pod, instances);
  if (phase === "Succeeded" || phase === "Failed") {
    if (stopAll(plan, graceMsOf(pod)) && instances.sandbox) {
      plan.add({ do: "stop", key: "stop", ids: [instances.sandbox.id] });
    }
  } else planLife(plan);
  return plan;
}
