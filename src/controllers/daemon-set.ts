// DaemonSet: one pod on every node that suits.
import { resource } from "../client/client.ts";
import { controllerOf, type KubeObject } from "../kinds/object.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { claim, ownerKeys, pods } from "./claim.ts";
import { podForNode } from "./daemon-set/eligibility.ts";
import { plan, type Plan } from "./daemon-set/plan.ts";
import { expectationsOf } from "./expectations.ts";
import { PodControl } from "./pod-control.ts";
import { controllerRevisions, planRevision, surplus } from "./revision-history.ts";
import { perContext } from "./per-context.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

const daemonSets = resource("apps/v1", "daemonsets");
const nodes = resource("v1", "nodes");
const hashLabel = "controller-revision-hash";
const historyLimitDefault = 10;
/** Pods created or deleted in one go; the rest follow when the cache shows these. */
const burstMax = 250;
const replaceMsMin = 1000;
const replaceMsMax = 15 * 60_000;

const keyOf = ({ metadata }: KubeObject): Key => `${metadata.namespace}/${metadata.name}`;

const keys = ownerKeys(daemonSets, "DaemonSet");

/** Heartbeats move no daemon; labels, taints and the coming and going of nodes do. */
function nodeKeys(node: KubeObject, context: ControllerContext, previous?: KubeObject): Key[] {
  const seen = ({ metadata, spec }: KubeObject) => [metadata.labels, spec?.taints];
  if (previous && jsonEqual(seen(previous), seen(node))) return [];
  return context.informer(daemonSets).list().map(keyOf);
}

/** How often a failed pod of a set was replaced on a node, and when that may happen again. */
interface Pace {
  delayMs: number;
  notBefore: number;
}
const pacesOf = perContext(() => new Map<string, Pace>());

class Reconciliation {
  readonly #key: Key;
  readonly #set: KubeObject;
  readonly #context: ControllerContext;
  readonly #namespace: string;

  constructor(key: Key, set: KubeObject, context: ControllerContext) {
    this.#key = key;
    this.#set = set;
    this.#context = context;
    this.#namespace = set.metadata.namespace!;
  }

  async run() {
    const context = this.#context;
    const { history, hash } = await this.#revisions();
    const own = await claim(this.#set, pods, context);
    const result = plan({
      set: this.#set,
      nodes: context.informer(nodes).list(),
      pods: own,
      hash,
      now: context.clock.now(),
    });
    try {
      const settled = expectationsOf(context).met(this.#key, context.informer(pods));
      if (settled) await this.#act(result, hash);
      else context.wakeAfter(this.#key, 1000);
    } finally {
      await this.#writeStatus(result.status);
    }
    if (result.wakeAfterMs !== undefined) context.wakeAfter(this.#key, result.wakeAfterMs);
    await this.#trim(history, own, hash);
  }

  async #revisions() {
    const { client } = this.#context;
    const known = this.#context
      .informer(controllerRevisions)
      .list(this.#namespace)
      .filter((revision) => controllerOf(revision)?.uid === this.#set.metadata.uid);
    const collisions: number = this.#set.status?.collisionCount ?? 0;
    const planned = planRevision(this.#set, known, { hashLabel, collisions });
    const at = { ...controllerRevisions, namespace: this.#namespace };
    if (planned.create) {
      await client.create(at, planned.create).catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
    } else if (planned.renumber) {
      const { revision, to } = planned.renumber;
      const target = { ...at, name: revision.metadata.name };
      await client.patch(target, "merge", { revision: to });
    }
    return { history: known, hash: planned.update.metadata!.labels![hashLabel]! };
  }

  async #act(result: Plan, hash: string) {
    const gone = [...result.delete];
    for (const { pod, node } of result.replace) {
      const name = `${this.#namespace}/${pod.metadata.name}`;
      const text = `Found failed daemon pod ${name} on node ${node}, will try to kill it`;
      if (!this.#mayReplace(node)) continue;
      this.#context.event(this.#set, "Warning", "FailedDaemonPod", text);
      gone.push(pod);
    }
    const control = new PodControl(this.#set, this.#key, this.#context);
    const wanted = result.create.slice(0, burstMax);
    await Promise.all([
      ...gone.slice(0, burstMax).map((pod) => control.delete(pod)),
      control.create(wanted.map((node) => podForNode(this.#set, hash, node))),
    ]);
  }

  /** Replacing a pod that fails again and again gets slower. */
  #mayReplace(node: string): boolean {
    const { clock } = this.#context;
    const known = pacesOf(this.#context);
    const id = `${this.#set.metadata.uid}/${node}`;
    const now = clock.monotonic();
    const pace = known.get(id) ?? { delayMs: 0, notBefore: 0 };
    if (now < pace.notBefore) {
      this.#context.wakeAfter(this.#key, pace.notBefore - now);
      return false;
    }
    const rested = now - pace.notBefore > 2 * replaceMsMax;
    const delayMs = rested ? replaceMsMin : Math.max(pace.delayMs * 2, replaceMsMin);
    for (const [other, { notBefore }] of known) {
      if (now - notBefore > 2 * replaceMsMax) known.delete(other);
    }
    known.set(id, {
      delayMs: Math.min(delayMs, replaceMsMax),
      notBefore: now + Math.min(delayMs, replaceMsMax),
    });
    return true;
  }

  async #writeStatus(status: Record<string, any>) {
    if (jsonEqual(status, this.#set.status)) return;
    const { name } = this.#set.metadata;
    const at = { ...daemonSets, namespace: this.#namespace, name, subresource: "status" };
    await this.#context.client.update(at, { ...this.#set, status });
  }

  async #trim(history: KubeObject[], own: KubeObject[], hash: string) {
    const used = new Set([hash, ...own.map(({ metadata }) => metadata.labels?.[hashLabel])]);
    const live = new Set(
      history
        .filter(({ metadata }) => used.has(metadata.labels?.[hashLabel]))
        .map(({ metadata }) => metadata.name),
    );
    const limit = this.#set.spec.revisionHistoryLimit ?? historyLimitDefault;
    for (const { metadata } of surplus(history, live, limit)) {
      const at = { ...controllerRevisions, namespace: this.#namespace, name: metadata.name };
      await this.#context.client.delete(at).catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
    }
  }
}

export const daemonSet: Controller = {
  name: "daemon-set",
  inputs: [
    { resource: daemonSets },
    { resource: pods, keys },
    { resource: nodes, keys: nodeKeys },
    { resource: controllerRevisions, keys },
  ],
  outputs: [pods, controllerRevisions, resource("apps/v1", "daemonsets/status")],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const set = context.informer(daemonSets).get(name, namespace);
    if (set) await new Reconciliation(key, set, context).run();
    else expectationsOf(context).forget(key);
  },
};
