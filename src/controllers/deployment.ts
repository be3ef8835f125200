// Deployment: moves pods from one template to the next through ReplicaSets, one per template.
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { claim, ownerKeys } from "./claim.ts";
import {
  hashLabel,
  isRolling,
  newSetOf,
  newSetReplicas,
  isScaled,
  planRollout,
  planScaling,
  replicasOf,
  revisionAnnotation,
  revisionOf,
  setAnnotationNames,
  setAnnotations,
  surplusSets,
} from "./deployment/plan.ts";
import type { Scaling } from "./deployment/plan.ts";
import { deploymentStatus } from "./deployment/status.ts";
import { controllerReference } from "./pod-template.ts";
import { replicaSets } from "./replica-set.ts";
import { shortHash } from "./revision-history.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

const deployments = resource("apps/v1", "deployments");
const pods = resource("v1", "pods");
const newest = (revisions: bigint[]) => revisions.reduce((a, b) => (a > b ? a : b), 0n);

const historyAnnotation = "deployment.kubernetes.io/revision-history";

/** Annotations that say something of one object and not of its template. */
const notInherited = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.to",
  revisionAnnotation,
  historyAnnotation,
  ...setAnnotationNames,
]);

/** Annotations that a set takes over from its Deployment. */
const inherited = ({ metadata }: KubeObject): Record<string, string> =>
  Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([name]) => !notInherited.has(name)),
  );

class Rollout {
  readonly #deployment: KubeObject;
  readonly #context: ControllerContext;
  #sets: KubeObject[];
  #created = false;

  constructor(deployment: KubeObject, sets: KubeObject[], context: ControllerContext) {
    this.#deployment = deployment;
    this.#sets = sets;
    this.#context = context;
  }

  async run() {
    const deployment = this.#deployment;
    let newSet = newSetOf(deployment, this.#sets);
    if (deployment.spec.paused || isScaled(deployment, this.#sets)) {
      await this.#scale(planScaling(deployment, newSet, this.#old(newSet)));
    } else {
      const oldPodsRun = !isRolling(deployment) && this.#oldPodsRun(newSet);
      if (!oldPodsRun) newSet = await this.#ensureNewSet(newSet);
      await this.#scale(planRollout(deployment, newSet, this.#old(newSet), { oldPodsRun }));
    }
    await this.#cleanUp(newSet);
    await this.#writeStatus(newSet);
  }

  #old(newSet: KubeObject | undefined) {
    return this.#sets.filter((set) => set.metadata.uid !== newSet?.metadata.uid);
  }

  /** Recreate waits until no pod of an old template is left. */
  #oldPodsRun(newSet: KubeObject | undefined): boolean {
    const old = new Set(this.#old(newSet).map(({ metadata }) => metadata.uid));
    const { namespace } = this.#deployment.metadata;
    return this.#context
      .informer(pods)
      .list(namespace)
      .some(
        ({ metadata, status }) =>
          metadata.ownerReferences?.some(({ uid }) => old.has(uid)) &&
          status?.phase !== "Failed" &&
          status?.phase !== "Succeeded",
      );
  }

  async #ensureNewSet(existing: KubeObject | undefined): Promise<KubeObject | undefined> {
    const revision = newest(this.#old(existing).map(revisionOf)) + 1n;
    const newSet = existing
      ? await this.#annotateSet(existing, revision)
      : await this.#createSet(revision);
    if (!newSet) return undefined;
    const current = newSet.metadata.annotations?.[revisionAnnotation];
    if (this.#deployment.metadata.annotations?.[revisionAnnotation] !== current) {
      await this.#patch(deployments, this.#deployment, {
        metadata: { annotations: { [revisionAnnotation]: current } },
      });
    }
    return newSet;
  }

  async #annotateSet(set: KubeObject, next: bigint) {
    const known = set.metadata.annotations ?? {};
    const revision = newest([revisionOf(set), next]);
    const wanted: Record<string, string> = {
      ...inherited(this.#deployment),
      [revisionAnnotation]: String(revision),
    };
    if (revision !== revisionOf(set) && revisionOf(set) > 0n) {
      wanted[historyAnnotation] = [known[historyAnnotation], revisionOf(set)]
        .filter(Boolean)
        .join(",");
    }
    const same = Object.entries(wanted).every(([name, value]) => known[name] === value);
    const minReadySeconds = this.#deployment.spec.minReadySeconds ?? 0;
    if (same && (set.spec.minReadySeconds ?? 0) === minReadySeconds) return set;
    return this.#patch(replicaSets, set, {
      metadata: { annotations: wanted },
      spec: { minReadySeconds },
    });
  }

  async #createSet(revision: bigint): Promise<KubeObject | undefined> {
    const deployment = this.#deployment;
    const { metadata, spec } = deployment;
    const hash = shortHash(spec.template, deployment.status?.collisionCount ?? 0);
    const labels = { ...spec.template.metadata?.labels, [hashLabel]: hash };
    const draft: Draft = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `${metadata.name}-${hash}`,
        namespace: metadata.namespace!,
        labels,
        annotations: {
          ...inherited(deployment),
          [revisionAnnotation]: String(revision),
          ...setAnnotations(deployment),
        },
        ownerReferences: [controllerReference(deployment)],
      },
      spec: {
        replicas: newSetReplicas(deployment, this.#sets, 0),
        minReadySeconds: spec.minReadySeconds ?? 0,
        selector: {
          ...spec.selector,
          matchLabels: { ...spec.selector.matchLabels, [hashLabel]: hash },
        },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
    };
    try {
      const set = await this.#context.client.create(
        { ...replicaSets, namespace: metadata.namespace },
        draft,
      );
      this.#sets = [...this.#sets, set];
      this.#created = true;
      this.#scaledEvent("up", set, 0, replicasOf(set));
      return set;
    } catch (error) {
      if (isStatus(error, "AlreadyExists")) return this.#collided(draft);
      throw error;
    }
  }

  /** Somebody has the name: our own set that the cache does not show yet, or one that hashes alike. */
  async #collided(draft: Draft): Promise<KubeObject | undefined> {
    const { name, namespace, ownerReferences } = draft.metadata!;
    const set = await this.#context.client.get({ ...replicaSets, namespace, name: name! });
    if (set.metadata.ownerReferences?.[0]?.uid === ownerReferences![0]!.uid) {
      if (newSetOf(this.#deployment, [set])) return undefined;
    }
    const collisionCount = (this.#deployment.status?.collisionCount ?? 0) + 1;
    const target = { ...deployments, namespace, name: this.#deployment.metadata.name };
    await this.#context.client.patch({ ...target, subresource: "status" }, "merge", {
      status: { collisionCount },
    });
    return undefined;
  }

  async #scale(scaling: Scaling) {
    const annotations = setAnnotations(this.#deployment);
    for (const [name, replicas] of scaling) {
      const set = this.#sets.find((one) => one.metadata.name === name)!;
      const before = replicasOf(set);
      const next = await this.#patch(replicaSets, set, {
        metadata: { annotations },
        spec: { replicas },
      });
      this.#sets = this.#sets.map((one) => (one === set ? next : one));
      if (replicas !== before) {
        this.#scaledEvent(replicas > before ? "up" : "down", set, before, replicas);
      }
    }
  }

  #scaledEvent(direction: string, set: KubeObject, from: number, to: number) {
    const text = `Scaled ${direction} replica set ${set.metadata.name} from ${from} to ${to}`;
    this.#context.event(this.#deployment, "Normal", "ScalingReplicaSet", text);
  }

  async #cleanUp(newSet: KubeObject | undefined) {
    if (!newSet) return;
    for (const set of surplusSets(this.#deployment, this.#old(newSet))) {
      const { name, namespace, uid } = set.metadata;
      await this.#context.client
        .delete(
          { ...replicaSets, namespace, name },
          { preconditions: { uid }, propagationPolicy: "Background" },
        )
        .catch((error: unknown) => {
          if (!isStatus(error, "NotFound", "Conflict")) throw error;
        });
    }
  }

  async #writeStatus(newSet: KubeObject | undefined) {
    const { clock, client, wakeAfter } = this.#context;
    const now = clock.now();
    const current =
      newSet && this.#sets.find(({ metadata }) => metadata.uid === newSet.metadata.uid);
    const { status, wakeAfterMs } = deploymentStatus({
      deployment: this.#deployment,
      newSet: current,
      sets: this.#sets,
      created: this.#created,
      now,
      time: timestamp(now),
    });
    const { name, namespace } = this.#deployment.metadata;
    if (!jsonEqual({ ...this.#deployment.status, ...status }, this.#deployment.status)) {
      await client.patch({ ...deployments, namespace, name, subresource: "status" }, "merge", {
        status,
      });
    }
    if (wakeAfterMs !== undefined) wakeAfter(`${namespace}/${name}`, wakeAfterMs);
  }

  #patch(of: typeof deployments, object: KubeObject, patch: object): Promise<KubeObject> {
    const { name, namespace } = object.metadata;
    return this.#context.client.patch({ ...of, namespace, name }, "merge", patch);
  }
}

async function reconcile(key: Key, context: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  const deployment = context.informer(deployments).get(name, namespace);
  if (!deployment) return;
  const sets = await claim(deployment, replicaSets, context);
  const live = sets.filter((set) => !set.metadata.deletionTimestamp);
  if (!deployment.metadata.deletionTimestamp) await new Rollout(deployment, live, context).run();
}

/** A pod that ends may be what a Recreate rollout waits for. */
function podKeys(pod: KubeObject, context: ControllerContext): Key[] {
  const owner = pod.metadata.ownerReferences?.find(({ kind }) => kind === "ReplicaSet");
  const set = owner && context.informer(replicaSets).get(owner.name, pod.metadata.namespace);
  const parent = set?.metadata.ownerReferences?.find(({ kind }) => kind === "Deployment");
  const deployment =
    parent && context.informer(deployments).get(parent.name, pod.metadata.namespace);
  if (!deployment || isRolling(deployment)) return [];
  return [`${pod.metadata.namespace}/${parent.name}`];
}

export const deploymentController: Controller = {
  name: "deployment",
  inputs: [
    { resource: deployments },
    { resource: replicaSets, keys: ownerKeys(deployments, "Deployment") },
    { resource: pods, keys: podKeys },
  ],
  outputs: [deployments, replicaSets, { ...deployments, resource: "deployments/status" }],
  reconcile,
};
