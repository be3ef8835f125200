// Kustomization: what a folder of a source says is what the cluster has. Applied by the server, put right at each
// interval, taken away when the folder has it no more. Without its source it goes on from the last good copy.
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { differs } from "../../lib/differs.ts";
import { durationMs } from "../../lib/parse-duration.ts";
import { mustKnow } from "../fields.ts";
import type { Fields } from "../fields.ts";
import { gitRepositories, kustomizations, ociRepositories } from "../kinds/resources.ts";
import { build } from "../kustomize/build.ts";
import { changeImages } from "../kustomize/images.ts";
import { addAnnotations } from "../kustomize/labels.ts";
import { isNamespaced } from "../kustomize/object.ts";
import type { BuildObject } from "../kustomize/object.ts";
import { applyPatch } from "../kustomize/patches.ts";
import type { StrategicMerge } from "../kustomize/patches.ts";
import type { Artifacts } from "../sources/artifacts.ts";
import { readyCondition } from "../sources/source-controller.ts";
import { unhealthOf } from "./health.ts";
import { OwnedObjects, ownerLabels } from "./owned-objects.ts";
import { Stop } from "./stop.ts";
import { entryOf, identityOf, staleEntries } from "./inventory.ts";
import type { Entry } from "./inventory.ts";

const finalizer = "finalizers.fluxcd.io";
const waitMs = 2000;
const timeoutMsDefault = 300_000;

const fields: Fields = {
  ...{ interval: true, retryInterval: true, timeout: true, path: true, prune: true, suspend: true },
  ...{ wait: true, targetNamespace: true },
  sourceRef: { apiVersion: true, kind: true, name: true, namespace: true },
  dependsOn: { name: true, namespace: true },
  healthChecks: { apiVersion: true, kind: true, name: true, namespace: true },
  commonMetadata: { labels: true, annotations: true },
  images: { name: true, newName: true, newTag: true, digest: true },
  patches: {
    patch: true,
    target: {
      ...{ group: true, version: true, kind: true, name: true, namespace: true },
      ...{ labelSelector: true, annotationSelector: true },
    },
  },
};

/** What one look came to. */
interface Outcome {
  condition: Condition;
  againMs: number;
  entries?: Entry[];
  revision?: string;
}

export interface KustomizationOptions {
  artifacts: Artifacts;
  strategic: StrategicMerge;
}

class Kustomization {
  readonly #options: KustomizationOptions;
  readonly #context: ControllerContext;
  readonly #object: KubeObject;
  /** When what is waited for was applied; monotonic ms. */
  readonly #since: number;
  readonly #objects: OwnedObjects;

  constructor(
    options: KustomizationOptions,
    context: ControllerContext,
    object: KubeObject,
    since: number,
  ) {
    this.#options = options;
    this.#context = context;
    this.#object = object;
    this.#since = since;
    const { name, namespace = "" } = object.metadata;
    this.#objects = new OwnedObjects(context, { name, namespace });
  }

  get #spec(): any {
    return this.#object.spec;
  }

  get #inventory(): Entry[] {
    return this.#object.status?.["inventory"]?.entries ?? [];
  }

  #artifact() {
    const { kind, name, namespace = this.#object.metadata.namespace } = this.#spec.sourceRef;
    const resource = kind === "GitRepository" ? gitRepositories : ociRepositories;
    const source = this.#context.informer(resource).get(name, namespace);
    if (!source) throw new Stop("ArtifactFailed", `${kind} '${namespace}/${name}' not found`);
    const artifact = this.#options.artifacts.get(source.metadata.uid);
    if (artifact) return artifact;
    throw new Stop("ArtifactFailed", `${kind} '${namespace}/${name}' has brought nothing yet`);
  }

  #mustDependOnReady() {
    const own = this.#object.metadata.namespace;
    for (const { name, namespace = own } of this.#spec.dependsOn ?? []) {
      const other = this.#context.informer(kustomizations).get(name, namespace);
      const ready = other?.status?.conditions?.find((one: Condition) => one.type === "Ready");
      const isReady =
        ready?.status === "True" && ready.observedGeneration === other?.metadata.generation;
      if (isReady) continue;
      throw new Stop("DependencyNotReady", `dependency '${namespace}/${name}' is not ready`, true);
    }
  }

  #built(files: ReadonlyMap<string, Uint8Array>): BuildObject[] {
    const { path = "", patches = [], images, targetNamespace, commonMetadata } = this.#spec;
    const { name, namespace } = this.#object.metadata;
    try {
      let objects = build(path, { files, strategic: this.#options.strategic });
      for (const patch of patches) objects = applyPatch(objects, patch, this.#options.strategic);
      for (const object of objects) {
        if (images) changeImages(object, images);
        if (targetNamespace && isNamespaced(object)) object.metadata.namespace = targetNamespace;
        const labels = ownerLabels({ name, namespace: namespace! });
        object.metadata["labels"] = {
          ...object.metadata["labels"],
          ...commonMetadata?.labels,
          ...labels,
        };
        if (commonMetadata?.annotations) addAnnotations(object, commonMetadata.annotations);
      }
      return objects;
    } catch (error) {
      throw new Stop("BuildFailed", (error as Error).message);
    }
  }

  /** The first that is not healthy ends it. */
  async #mustBeHealthy(entries: Entry[]) {
    const { wait, healthChecks = [], timeout } = this.#spec;
    const checks = wait
      ? entries
      : healthChecks.map(({ apiVersion, kind, name, namespace = "" }: any) =>
          entryOf({ apiVersion, kind, metadata: { name, namespace } }),
        );
    if (checks.length === 0) return;
    for (const entry of checks) {
      const unhealth = unhealthOf((await this.#objects.find(entry))?.live);
      if (!unhealth) continue;
      const { kind, namespace, name } = identityOf(entry);
      const message = `${kind}/${namespace ? `${namespace}/` : ""}${name}: ${unhealth.why}`;
      const waitedMs = this.#context.clock.monotonic() - this.#since;
      const isLate = waitedMs > (durationMs(timeout) ?? timeoutMsDefault);
      if (unhealth.isFinal || isLate) throw new Stop("HealthCheckFailed", message);
      throw new Stop("Progressing", `waits for ${message}`, true);
    }
  }

  async #look(): Promise<Outcome> {
    const { interval, retryInterval, prune } = this.#spec;
    const { generation } = this.#object.metadata;
    const intervalMs = durationMs(interval) ?? 600_000;
    let entries: Entry[] | undefined;
    let revision: string | undefined;
    try {
      try {
        mustKnow(this.#spec, fields, "spec");
      } catch (error) {
        throw new Stop("Unsupported", (error as Error).message);
      }
      const artifact = this.#artifact();
      this.#mustDependOnReady();
      const applied = await this.#objects.apply(this.#built(artifact.files));
      const before = this.#inventory;
      const stale = staleEntries(before, applied);
      // What is not taken away is still known, should that be wished for later.
      entries = prune ? applied : [...applied, ...stale];
      if (prune) await this.#objects.prune(stale);
      revision = artifact.revision;
      await this.#mustBeHealthy(applied);
      const message = `Applied revision: ${revision}`;
      const condition = readyCondition(generation, "True", "ReconciliationSucceeded", message);
      return { condition, againMs: intervalMs, entries, revision };
    } catch (error) {
      const { message } = error as Error;
      const stop = error instanceof Stop ? error : new Stop("ReconciliationFailed", message);
      const state = stop.reason === "Progressing" ? "Unknown" : "False";
      const condition = readyCondition(generation, state, stop.reason, message);
      const againMs = stop.isSoon
        ? waitMs
        : (durationMs(retryInterval) ?? Math.min(intervalMs, 30_000));
      return { condition, againMs, ...(entries && { entries }), ...(revision && { revision }) };
    }
  }

  async #finalizers(finalizers: string[]) {
    const { namespace, name, resourceVersion } = this.#object.metadata;
    const target = { ...kustomizations, namespace, name };
    await this.#context.client.patch(target, "merge", {
      metadata: { finalizers, resourceVersion },
    });
  }

  /** Resolves with when to look again. */
  async keep(): Promise<number | undefined> {
    const { namespace, name, finalizers = [], generation, resourceVersion } = this.#object.metadata;
    if (this.#spec.suspend) return undefined;
    if (!finalizers.includes(finalizer)) {
      await this.#finalizers([...finalizers, finalizer]);
      return 0;
    }
    const { condition, againMs, entries, revision } = await this.#look();
    const { status } = this.#object;
    const body = {
      observedGeneration: generation,
      conditions: withConditions(status?.conditions, [condition], this.#context.clock.now()),
      ...(entries && { inventory: { entries } }),
      ...(revision && { lastAttemptedRevision: revision }),
      ...(revision && condition.status === "True" && { lastAppliedRevision: revision }),
    };
    if (differs(body, status)) {
      const target = { ...kustomizations, namespace, name, subresource: "status" };
      await this.#context.client.patch(target, "merge", {
        metadata: { resourceVersion },
        status: body,
      });
    }
    return againMs;
  }

  /** It goes, and with it what it applied, if it prunes and is not suspended. */
  async remove() {
    const { finalizers = [] } = this.#object.metadata;
    if (!finalizers.includes(finalizer)) return;
    if (this.#spec.prune && !this.#spec.suspend)
      await this.#objects.prune(this.#inventory.toReversed());
    await this.#finalizers(finalizers.filter((one) => one !== finalizer));
  }
}

const ofSource = ({ kind, metadata }: KubeObject, { informer }: ControllerContext) =>
  informer(kustomizations)
    .list()
    .filter(({ spec, metadata: own }) => {
      const { kind: wanted, name, namespace = own.namespace } = spec.sourceRef ?? {};
      return wanted === kind && name === metadata.name && namespace === metadata.namespace;
    })
    .map(({ metadata: own }) => `${own.namespace}/${own.name}`);

const dependents = ({ metadata }: KubeObject, { informer }: ControllerContext) => [
  `${metadata.namespace}/${metadata.name}`,
  ...informer(kustomizations)
    .list()
    .filter(({ spec, metadata: own }) =>
      spec.dependsOn?.some(
        ({ name, namespace = own.namespace }: any) =>
          name === metadata.name && namespace === metadata.namespace,
      ),
    )
    .map(({ metadata: own }) => `${own.namespace}/${own.name}`),
];

export function kustomization(options: KustomizationOptions): Controller {
  /** What was looked at last, since when it is so, and until when it is left alone; monotonic ms. */
  const known = new Map<string, { what: string; since: number; dueAt: number }>();
  return {
    name: "kustomization",
    inputs: [
      { resource: kustomizations, keys: dependents },
      { resource: gitRepositories, keys: ofSource },
      { resource: ociRepositories, keys: ofSource },
    ],
    outputs: [kustomizations],
    async reconcile(key, context) {
      const [namespace, name] = key.split("/") as [string, string];
      const object = context.informer(kustomizations).get(name, namespace);
      if (!object) return void known.delete(key);
      const { uid, generation, annotations, deletionTimestamp, finalizers } = object.metadata;
      const { kind, name: of, namespace: at = namespace } = object.spec.sourceRef ?? {};
      const resource = kind === "GitRepository" ? gitRepositories : ociRepositories;
      const source = context.informer(resource).get(of, at);
      const revision = source && options.artifacts.get(source.metadata.uid)?.revision;
      const depends = (object.spec.dependsOn ?? []).map(
        ({ name: one, namespace: in_ = namespace }: any) =>
          context
            .informer(kustomizations)
            .get(one, in_)
            ?.status?.conditions?.map((c: Condition) => c.status),
      );
      const now = context.clock.monotonic();
      const what = JSON.stringify([uid, generation, annotations, revision, depends, finalizers]);
      const before = known.get(key);
      const isSame = before?.what === what;
      if (isSame && now < before.dueAt && !deletionTimestamp) {
        const leftMs = before.dueAt - now;
        return leftMs === Number.POSITIVE_INFINITY ? undefined : context.wakeAfter(key, leftMs + 1);
      }
      const since = isSame ? before.since : now;
      const one = new Kustomization(options, context, object, since);
      if (deletionTimestamp) return one.remove();
      const againMs = await one.keep();
      const dueAt = context.clock.monotonic() + (againMs ?? Number.POSITIVE_INFINITY);
      known.set(key, { what, since, dueAt });
      if (againMs !== undefined) context.wakeAfter(key, againMs + 1);
    },
  };
}
