// StatefulSet: pods with names that stay, in order, each with its own claims.
import { resource } from "../client/client.ts";
import { controllerOf, type Draft, type KubeObject } from "../kinds/object.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { claim, ownerKeys, pods } from "./claim.ts";
import { controllerReference } from "./pod-template.ts";
import { controllerRevisions, planRevision, surplus, templateOf } from "./revision-history.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";
import {
  claimOwners,
  claimsOf,
  missingLabels,
  ordinalOf,
  startOf,
} from "./stateful-set/identity.ts";
import { plan, type Action, type Revision } from "./stateful-set/plan.ts";

const statefulSets = resource("apps/v1", "statefulsets");
const claims = resource("v1", "persistentvolumeclaims");
const hashLabel = "controller.kubernetes.io/hash";
const historyLimitDefault = 10;

const keys = ownerKeys(statefulSets, "StatefulSet");

class Reconciliation {
  readonly #set: KubeObject;
  readonly #context: ControllerContext;
  readonly #namespace: string;

  constructor(set: KubeObject, context: ControllerContext) {
    this.#set = set;
    this.#context = context;
    this.#namespace = set.metadata.namespace!;
  }

  async run(key: Key) {
    const { clock } = this.#context;
    const set = this.#set;
    // Only pods that are named as its own can be.
    const filter = ({ metadata }: KubeObject) => ordinalOf(set, metadata.name) >= 0;
    const own = await claim(set, pods, this.#context, { filter });
    const known = this.#context
      .informer(controllerRevisions)
      .list(this.#namespace)
      .filter((revision) => controllerOf(revision)?.uid === set.metadata.uid);
    const { update, history } = await this.#revisions(known);
    const current =
      history.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
    const result = plan({
      set,
      pods: own,
      current: asRevision(current),
      update: asRevision(update),
      collisions: set.status?.collisionCount ?? 0,
      now: clock.now(),
    });
    await this.#tendClaims(own);
    for (const pod of own) await this.#tendIdentity(pod);
    try {
      for (const action of result.actions) await this.#do(action);
    } finally {
      await this.#writeStatus(result.status);
    }
    if (result.wakeAfterMs !== undefined) this.#context.wakeAfter(key, result.wakeAfterMs);
    const live = new Set([current.metadata.name, update.metadata.name]);
    for (const pod of own) live.add(pod.metadata.labels?.["controller-revision-hash"] ?? "");
    const limit = set.spec.revisionHistoryLimit ?? historyLimitDefault;
    for (const { metadata } of surplus(history, live, limit)) {
      await this.#gone({ ...controllerRevisions, namespace: this.#namespace, name: metadata.name });
    }
  }

  async #revisions(known: KubeObject[]) {
    const { client } = this.#context;
    const collisions: number = this.#set.status?.collisionCount ?? 0;
    const planned = planRevision(this.#set, known, { hashLabel, collisions });
    const at = { ...controllerRevisions, namespace: this.#namespace };
    let update = planned.update as KubeObject;
    if (planned.create) {
      update = await client.create(at, planned.create).catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
        return client.get({ ...at, name: planned.create!.metadata!.name! });
      });
    } else if (planned.renumber) {
      const { revision, to } = planned.renumber;
      update = await client.patch({ ...at, name: revision.metadata.name }, "merge", {
        revision: to,
      });
    }
    const others = known.filter(({ metadata }) => metadata.name !== update.metadata.name);
    return { update, history: [...others, update] };
  }

  async #tendClaims(own: KubeObject[]) {
    const set = this.#set;
    const replicas: number = set.spec.replicas ?? 1;
    const cache = this.#context.informer(claims);
    for (const pod of own) {
      const ordinal = ordinalOf(set, pod.metadata.name);
      if (ordinal < 0) continue;
      const condemned = ordinal < startOf(set) || ordinal >= startOf(set) + replicas;
      for (const { metadata } of claimsOf(set, ordinal)) {
        const claim = cache.get(metadata!.name!, this.#namespace);
        const owners = claim && claimOwners(set, claim, pod, condemned);
        if (!owners) continue;
        const at = { ...claims, namespace: this.#namespace, name: claim.metadata.name };
        await this.#context.client.patch(at, "merge", {
          metadata: { uid: claim.metadata.uid, ownerReferences: owners },
        });
      }
    }
  }

  async #tendIdentity(pod: KubeObject) {
    const labels = missingLabels(this.#set, pod);
    if (!labels) return;
    const at = { ...pods, namespace: this.#namespace, name: pod.metadata.name };
    await this.#context.client.patch(at, "merge", {
      metadata: { uid: pod.metadata.uid, labels },
    });
  }

  async #do(action: Action) {
    const { client } = this.#context;
    if (action.type === "create") return this.#create(action.pod, action.ordinal);
    const { name, uid } = action.pod.metadata;
    try {
      await client.delete(
        { ...pods, namespace: this.#namespace, name },
        { preconditions: { uid } },
      );
    } catch (error) {
      if (isStatus(error, "NotFound", "Conflict")) return;
      this.#tell("Warning", "FailedDelete", `delete Pod ${name} in StatefulSet`, error);
      throw error;
    }
    if (action.because === "finished") {
      const reason = action.pod.status?.phase === "Failed" ? "Failed" : "Terminated";
      const text = `StatefulSet ${this.#namespace}/${this.#set.metadata.name} is recreating`;
      const word = reason.toLowerCase();
      this.#context.event(
        this.#set,
        reason === "Failed" ? "Warning" : "Normal",
        `Recreating${reason}Pod`,
        `${text} ${word} Pod ${name}`,
      );
    }
    this.#tell("Normal", "SuccessfulDelete", `delete Pod ${name} in StatefulSet`);
  }

  async #create(pod: Draft, ordinal: number) {
    const { client } = this.#context;
    const name = pod.metadata!.name!;
    if (!(await this.#createClaims(ordinal, name))) return;
    try {
      await client.create({ ...pods, namespace: this.#namespace }, pod);
    } catch (error) {
      // Either our own, not in the cache yet, or a stranger's: its going wakes us.
      if (isStatus(error, "AlreadyExists")) return;
      this.#tell("Warning", "FailedCreate", `create Pod ${name} in StatefulSet`, error);
      throw error;
    }
    this.#tell("Normal", "SuccessfulCreate", `create Pod ${name} in StatefulSet`);
  }

  /** False while a claim of an earlier life is still going away. */
  async #createClaims(ordinal: number, podName: string): Promise<boolean> {
    const { client } = this.#context;
    const cache = this.#context.informer(claims);
    let ready = true;
    for (const claim of claimsOf(this.#set, ordinal)) {
      const name = claim.metadata!.name!;
      const known = cache.get(name, this.#namespace);
      if (known?.metadata.deletionTimestamp) ready = false;
      if (known) continue;
      const policy = this.#set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted;
      if (policy === "Delete") {
        claim.metadata!.ownerReferences = [controllerReference(this.#set)];
      }
      const what = `create Claim ${name} Pod ${podName} in StatefulSet`;
      try {
        await client.create({ ...claims, namespace: this.#namespace }, claim);
        this.#tell("Normal", "SuccessfulCreate", what);
      } catch (error) {
        if (isStatus(error, "AlreadyExists")) continue;
        this.#tell("Warning", "FailedCreate", what, error);
        throw error;
      }
    }
    return ready;
  }

  #tell(type: "Normal" | "Warning", reason: string, what: string, error?: unknown) {
    const outcome = error ? `failed error: ${(error as Error).message}` : "successful";
    const message = `${what} ${this.#set.metadata.name} ${outcome}`;
    this.#context.event(this.#set, type, reason, message);
  }

  async #writeStatus(status: Record<string, any>) {
    if (jsonEqual(status, this.#set.status)) return;
    const { name } = this.#set.metadata;
    const at = { ...statefulSets, namespace: this.#namespace, name, subresource: "status" };
    await this.#context.client.update(at, { ...this.#set, status });
  }

  async #gone(at: { namespace: string; name: string } & typeof pods) {
    await this.#context.client.delete(at).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

const asRevision = (revision: KubeObject): Revision => ({
  name: revision.metadata.name,
  template: templateOf(revision) as Revision["template"],
});

export const statefulSet: Controller = {
  name: "stateful-set",
  inputs: [
    { resource: statefulSets },
    { resource: pods, keys },
    { resource: claims, keys: () => [] },
    { resource: controllerRevisions, keys },
  ],
  outputs: [pods, claims, controllerRevisions, resource("apps/v1", "statefulsets/status")],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const set = context.informer(statefulSets).get(name, namespace);
    if (set) await new Reconciliation(set, context).run(key);
  },
};
