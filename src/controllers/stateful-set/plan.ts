// What a StatefulSet does next. With OrderedReady it takes one step at a time and waits until the
// pod it touched is ready; with Parallel it creates and deletes at once, and only updates roll.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { intOrPercent } from "../int-or-percent.ts";
import { availableInMs, hasFinished, isReady, isTerminating } from "../pod-state.ts";
import type { PodTemplate } from "../pod-template.ts";
import { ordinalOf, podOf, revisionLabel, startOf } from "./identity.ts";

export interface Revision {
  name: string;
  template: PodTemplate;
}

export interface Input {
  set: KubeObject;
  /** The pods it controls. */
  pods: KubeObject[];
  current: Revision;
  update: Revision;
  collisions?: number;
  /** Wall clock, ms. */
  now: number;
}

export type Action =
  | { type: "create"; pod: Draft; ordinal: number }
  | { type: "delete"; pod: KubeObject; because: "finished" | "scale" | "update" };

export interface Plan {
  actions: Action[];
  status: Record<string, any>;
  /** Look again after this long, though nothing happens. */
  wakeAfterMs?: number;
}

const revisionOf = (pod: KubeObject) => pod.metadata.labels?.[revisionLabel];

class Planner {
  readonly #input: Input;
  readonly #actions: Action[] = [];
  readonly #ordered: boolean;
  readonly #start: number;
  readonly #replicas: number;
  readonly #minReadySeconds: number;
  readonly #byOrdinal = new Map<number, KubeObject>();
  #wakeAfterMs: number | undefined;

  constructor(input: Input) {
    const { set } = input;
    this.#input = input;
    this.#ordered = (set.spec.podManagementPolicy ?? "OrderedReady") === "OrderedReady";
    this.#start = startOf(set);
    this.#replicas = set.spec.replicas ?? 1;
    this.#minReadySeconds = set.spec.minReadySeconds ?? 0;
    for (const pod of input.pods) {
      const ordinal = ordinalOf(set, pod.metadata.name);
      if (ordinal >= 0) this.#byOrdinal.set(ordinal, pod);
    }
  }

  plan(): Plan {
    if (!this.#input.set.metadata.deletionTimestamp) {
      const settled = this.#fill() && this.#scaleDown();
      if (settled) this.#roll();
    }
    return {
      actions: this.#actions,
      status: this.#status(),
      ...(this.#wakeAfterMs !== undefined && { wakeAfterMs: this.#wakeAfterMs }),
    };
  }

  /** Every wanted ordinal gets its pod. False: go no further now. */
  #fill(): boolean {
    for (let i = 0; i < this.#replicas; i++) {
      const done = this.#ensure(this.#start + i);
      if (!done && this.#ordered) return false;
    }
    return true;
  }

  #ensure(ordinal: number): boolean {
    const pod = this.#byOrdinal.get(ordinal);
    if (!pod) {
      this.#actions.push({ type: "create", ordinal, pod: this.#newPod(ordinal) });
      return false;
    }
    if (hasFinished(pod)) {
      if (!isTerminating(pod)) this.#delete(pod, "finished");
      return false;
    }
    return !this.#ordered || this.#settled(pod);
  }

  /** Ready, staying, and ready for long enough. */
  #settled(pod: KubeObject): boolean {
    if (isTerminating(pod)) return false;
    const ms = availableInMs(pod, this.#minReadySeconds, this.#input.now);
    if (ms) this.#wake(ms);
    return ms === 0;
  }

  /** Pods beyond the wanted ordinals go, the highest first. */
  #scaleDown(): boolean {
    const condemned = [...this.#byOrdinal]
      .filter(([ordinal]) => !this.#isWanted(ordinal))
      .sort(([a], [b]) => b - a)
      .map(([, pod]) => pod);
    if (!this.#ordered) {
      for (const pod of condemned) if (!isTerminating(pod)) this.#delete(pod, "scale");
      return true;
    }
    const [next] = condemned;
    if (!next) return true;
    // One that is not well may go only when it is the lowest of those: whoever is ill may need the others.
    const ill = next !== this.#lowestIll() && !this.#settled(next);
    if (!isTerminating(next) && !ill) this.#delete(next, "scale");
    return false;
  }

  #lowestIll(): KubeObject | undefined {
    const ordinals = [...this.#byOrdinal].sort(([a], [b]) => a - b);
    return ordinals.find(([, pod]) => isTerminating(pod) || !isReady(pod))?.[1];
  }

  #roll() {
    const { set, update, now } = this.#input;
    const strategy = set.spec.updateStrategy ?? {};
    if (strategy.type === "OnDelete") return;
    const partition: number = strategy.rollingUpdate?.partition ?? 0;
    const most = Math.max(
      intOrPercent(strategy.rollingUpdate?.maxUnavailable, this.#replicas, {
        roundUp: true,
        otherwise: 1,
      }),
      1,
    );
    const unavailable = (pod: KubeObject) =>
      isTerminating(pod) || availableInMs(pod, this.#minReadySeconds, now) !== 0;
    const pods = [...this.#byOrdinal].filter(([ordinal]) => this.#isWanted(ordinal));
    let down = this.#replicas - pods.length;
    for (const [, pod] of pods) if (unavailable(pod)) down += 1;
    for (const [ordinal, pod] of pods.sort(([a], [b]) => b - a)) {
      if (ordinal < this.#start + partition) return;
      const stale = revisionOf(pod) !== update.name && !isTerminating(pod);
      if (most === 1) {
        if (stale) return this.#delete(pod, "update");
        if (unavailable(pod)) return this.#waitFor(pod);
      } else if (stale && (unavailable(pod) || down < most)) {
        // One that is down already costs nothing; it may be what the update repairs.
        if (!unavailable(pod)) down += 1;
        this.#delete(pod, "update");
      }
    }
  }

  #waitFor(pod: KubeObject) {
    const ms = availableInMs(pod, this.#minReadySeconds, this.#input.now);
    if (ms) this.#wake(ms);
  }

  #isWanted(ordinal: number) {
    return ordinal >= this.#start && ordinal < this.#start + this.#replicas;
  }

  #delete(pod: KubeObject, because: "finished" | "scale" | "update") {
    this.#actions.push({ type: "delete", pod, because });
  }

  #wake(ms: number) {
    this.#wakeAfterMs = Math.min(this.#wakeAfterMs ?? ms, ms);
  }

  /** Below the partition, or while a rollout has not come so far, a pod is of the current revision. */
  #newPod(ordinal: number): Draft {
    const { set, current, update } = this.#input;
    const { type = "RollingUpdate", rollingUpdate } = set.spec.updateStrategy ?? {};
    const kept = rollingUpdate?.partition ?? set.status?.currentReplicas ?? 0;
    const rolling = type === "RollingUpdate";
    const old = ordinal < this.#start + (rolling ? kept : (set.status?.currentReplicas ?? 0));
    const { template, name } = old ? current : update;
    return podOf(set, template, name, ordinal);
  }

  #status(): Record<string, any> {
    const { set, pods, current, update, now, collisions = 0 } = this.#input;
    const count = (of: (pod: KubeObject) => boolean) => pods.filter(of).length;
    const created = (name: string) => (pod: KubeObject) =>
      revisionOf(pod) === name && !isTerminating(pod);
    const condemned = new Set(this.#actions.flatMap((a) => (a.type === "delete" ? [a.pod] : [])));
    const stays = (name: string) => (pod: KubeObject) => created(name)(pod) && !condemned.has(pod);
    const status = {
      ...set.status,
      observedGeneration: set.metadata.generation,
      replicas: pods.length,
      readyReplicas: count(isReady),
      availableReplicas: count((pod) => availableInMs(pod, this.#minReadySeconds, now) === 0),
      currentReplicas: count(stays(current.name)),
      updatedReplicas: count(stays(update.name)),
      currentRevision: current.name,
      updateRevision: update.name,
      collisionCount: collisions,
    };
    const { replicas, readyReplicas, updatedReplicas } = status;
    const all = this.#replicas;
    const rolling = (set.spec.updateStrategy?.type ?? "RollingUpdate") === "RollingUpdate";
    if (rolling && replicas === all && readyReplicas === all && updatedReplicas === all) {
      status.currentReplicas = updatedReplicas;
      status.currentRevision = update.name;
    }
    return status;
  }
}

/** The name of the pod of `ordinal`, told in events. */

export const plan = (input: Input): Plan => new Planner(input).plan();
