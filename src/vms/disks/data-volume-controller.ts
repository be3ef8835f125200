// DataVolume: makes a claim and has it filled by a pod.
import { randomBytes } from "node:crypto";
import { perContext } from "../../controllers/per-context.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { isStatus } from "../../lib/status-error.ts";
import { claims, dataSources, dataVolumes, pods } from "../kinds/resources.ts";
import { hasFinished, isReady } from "../../controllers/pod-state.ts";
import { progressOf, taskOf } from "./ask-task.ts";
import { podPhase, podReady, uploadTarget } from "./claim-progress.ts";
import { followDataSource } from "./data-source.ts";
import type { Led } from "./data-source.ts";
import { cloneForAnnotation, giverName, giverPod, straying } from "./foreign-source.ts";
import { hasBegun, isDone, planFill } from "./plan.ts";
import type { FillPlan } from "./plan.ts";
import { claimOf, sourceKind, sourceTask, taskPodName } from "./source-task.ts";
import { taskPod } from "./task-pod.ts";

const waitMs = 5000;
const keyBytes = 24;
/** Each answer is a write, which leads here again. */
const progressMsMin = 500;
/** Each waits with its DataVolume for what the pod says. */
const workers = 16;

/** How far the disk on a claim is; one that no DataVolume filled is there. */
export const filledAs = ({ metadata }: KubeObject): string =>
  metadata.annotations?.[podPhase] ?? "Succeeded";

interface Copied {
  claim: KubeObject;
  sourceClaim: KubeObject | undefined;
  giver: KubeObject | undefined;
}

/** Pods elsewhere that give a disk to a DataVolume: `key` names it. */
async function removeGivers(key: Key, { client, informer }: ControllerContext) {
  const givers = informer(pods)
    .list()
    .filter(({ metadata }) => metadata.annotations?.[cloneForAnnotation] === key);
  for (const { metadata } of givers) {
    const { namespace, name, uid, deletionTimestamp } = metadata;
    if (deletionTimestamp) continue;
    await client
      .delete({ ...pods, namespace, name }, { preconditions: { uid } })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
  }
}

/** When each DataVolume's pod was last asked how far it is. */
const askedAt = perContext(() => new Map<Key, number>());

function isDue(key: Key, context: ControllerContext): boolean {
  const asked = askedAt(context);
  const now = context.clock.monotonic();
  if (now - (asked.get(key) ?? -Infinity) < progressMsMin) return false;
  asked.set(key, now);
  return true;
}

class Filling {
  readonly #dv: KubeObject;
  readonly #context: ControllerContext;
  readonly #connect: NodeConnector;
  readonly #namespace: string;
  readonly #key: Key;

  constructor(dv: KubeObject, context: ControllerContext, connect: NodeConnector) {
    this.#dv = dv;
    this.#context = context;
    this.#connect = connect;
    this.#namespace = dv.metadata.namespace!;
    this.#key = `${this.#namespace}/${dv.metadata.name}`;
  }

  async run(key: Key) {
    const { informer, clock, event } = this.#context;
    const dv = this.#dv;
    const { name } = dv.metadata;
    const { source, why } = this.#source();
    const from: string = source?.pvc?.namespace ?? this.#namespace;
    const sourceClaim = source?.pvc && informer(claims).get(source.pvc.name, from);
    let waitsFor = why ?? this.#waitsFor(source, sourceClaim);
    let claim = informer(claims).get(name, this.#namespace);
    if (claim && controllerOf(claim)?.uid !== dv.metadata.uid) {
      waitsFor = `Resource "${name}" already exists and is not managed by DataVolume`;
      claim = undefined;
    } else if (!claim && !waitsFor && !isDone(dv)) claim = await this.#createClaim(sourceClaim);
    const kind = sourceKind(source);
    const isForeign = from !== this.#namespace;
    const isAsked = isForeign && claim && !waitsFor && !isDone(dv);
    const giver = isAsked ? await this.#giver(sourceClaim!) : undefined;
    if (giver && !isReady(giver)) waitsFor = `pod ${from}/${giverName(dv)} is not ready yet`;
    const pod = informer(pods).get(taskPodName(dv, kind), this.#namespace);
    const own = pod && controllerOf(pod)?.uid === dv.metadata.uid ? pod : undefined;
    const isAnswering = own?.status?.phase === "Running" && hasBegun(dv);
    const progress =
      isAnswering && isDue(key, this.#context) ? await progressOf(this.#connect, own) : undefined;
    const plan = planFill({
      ...{ dv, kind, claim, pod: own, progress, now: clock.now() },
      ...(waitsFor && { waitsFor }),
    });
    if (plan.createPod) await this.#createPod(source, { claim: claim!, sourceClaim, giver });
    if (isForeign && isDone({ ...dv, status: plan.status }))
      await removeGivers(this.#key, this.#context);
    await this.#tellClaim(claim, plan);
    await this.#write(plan);
    if (plan.failure) event(dv, "Warning", "Error", `Unable to process data: ${plan.failure}`);
    if (plan.deletePod) await this.#deletePod(own!);
    const wakeMs = plan.wakeAfterMs ?? (waitsFor ? waitMs : undefined);
    if (wakeMs !== undefined) this.#context.wakeAfter(key, wakeMs);
  }

  /** The DataVolume's own, or what its DataSource leads to. */
  #source(): Led {
    const { source, sourceRef } = this.#dv.spec;
    if (!sourceRef) return { source };
    const { namespace = this.#namespace, name } = sourceRef;
    return followDataSource({ namespace, name }, (inside, which) =>
      this.#context.informer(dataSources).get(which, inside),
    );
  }

  #waitsFor(source: any, sourceClaim: KubeObject | undefined): string | undefined {
    if (!source?.pvc) return undefined;
    const { name, namespace = this.#namespace } = source.pvc;
    const strays = straying(this.#dv, source);
    if (strays) return strays;
    if (!sourceClaim) return `Source pvc ${namespace}/${name} not found`;
    if (filledAs(sourceClaim) !== "Succeeded") return `source PVC ${name} is being filled`;
    const used = this.#users(name, namespace)[0];
    return used && `pod ${used} is using the source PVC ${name}`;
  }

  /** Pods other than ours that have a claim mounted. */
  #users(claimName: string, namespace: string): string[] {
    const ended = ["Succeeded", "Failed"];
    return this.#context
      .informer(pods)
      .list(namespace)
      .filter(({ spec, status, metadata }) => {
        const uses = spec.volumes?.some(
          (one: any) => one.persistentVolumeClaim?.claimName === claimName,
        );
        const isTask = metadata.labels?.["app"] === "containerized-data-importer";
        return uses && !isTask && !ended.includes(status?.phase);
      })
      .map(({ metadata }) => metadata.name);
  }

  async #createClaim(sourceClaim: KubeObject | undefined) {
    const { client, event } = this.#context;
    const { name, labels, annotations = {} } = this.#dv.metadata;
    const kept = Object.entries(annotations).filter(([key]) => !key.startsWith("kubectl."));
    const claim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name,
        labels: { ...labels, app: "containerized-data-importer" },
        annotations: {
          ...Object.fromEntries(kept),
          ...(sourceKind(this.#dv.spec.source) === "upload" && { [uploadTarget]: "" }),
        },
        ownerReferences: [controllerReference(this.#dv)],
      },
      spec: claimOf(this.#dv, sourceClaim),
    };
    try {
      return await client.create({ ...claims, namespace: this.#namespace }, claim);
    } catch (error) {
      if (isStatus(error, "AlreadyExists")) return undefined;
      event(this.#dv, "Warning", "ErrClaimNotValid", (error as Error).message);
      throw error;
    }
  }

  /** In the namespace of the claim that is copied; made where there is none. */
  async #giver(claim: KubeObject): Promise<KubeObject> {
    const { client, informer } = this.#context;
    const { namespace } = claim.metadata;
    const known = informer(pods).get(giverName(this.#dv), namespace);
    if (known && hasFinished(known)) await removeGivers(this.#key, this.#context);
    if (known) return known;
    const draft = giverPod(this.#dv, claim, randomBytes(keyBytes).toString("hex"));
    return client.create({ ...pods, namespace: namespace! }, draft);
  }

  async #createPod(source: any, { claim, sourceClaim, giver: from }: Copied) {
    const giver = from ? { podIP: from.status!.podIP, key: taskOf(from)!.key } : undefined;
    const bytes = parseQuantity(claim.spec.resources.requests.storage);
    const key = randomBytes(keyBytes).toString("hex");
    const pod = taskPod(
      sourceTask(source, {
        dv: this.#dv,
        claim,
        sourceClaim,
        giver,
        bytes,
        key,
      }),
    );
    await this.#context.client
      .create({ ...pods, namespace: this.#namespace }, pod)
      .catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
  }

  async #deletePod({ metadata: { name, uid } }: KubeObject) {
    const target = { ...pods, namespace: this.#namespace, name };
    await this.#context.client
      .delete(target, { preconditions: { uid } })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
  }

  /** Uploading clients read the claim. */
  async #tellClaim(claim: KubeObject | undefined, { status }: FillPlan) {
    if (!claim || claim.metadata.deletionTimestamp) return;
    const phases: Record<string, string> = { Succeeded: "Succeeded", Failed: "Failed" };
    const running = ["UploadReady", "ImportInProgress", "CloneInProgress"].includes(status.phase);
    const wanted = {
      [podPhase]: phases[status.phase] ?? (running ? "Running" : "Pending"),
      [podReady]: String(status.phase === "UploadReady"),
    };
    const have = claim.metadata.annotations ?? {};
    if (Object.entries(wanted).every(([key, value]) => have[key] === value)) return;
    const target = { ...claims, namespace: this.#namespace, name: claim.metadata.name };
    await this.#context.client.patch(target, "merge", { metadata: { annotations: wanted } });
  }

  async #write({ status }: FillPlan) {
    if (jsonEqual(status, this.#dv.status)) return;
    const { client, event } = this.#context;
    const { name } = this.#dv.metadata;
    const target = { ...dataVolumes, namespace: this.#namespace, name, subresource: "status" };
    await client.update(target, { ...this.#dv, status });
    if (status.phase === this.#dv.status?.phase) return;
    const type = status.phase === "Failed" ? "Warning" : "Normal";
    event(this.#dv, type, status.phase, `DataVolume ${name} is ${status.phase}`);
  }
}

const owner = (object: KubeObject): Key[] => {
  const whose = object.metadata.annotations?.[cloneForAnnotation];
  if (whose) return [whose];
  const reference = controllerOf(object);
  if (reference?.kind !== "DataVolume") return [];
  return [`${object.metadata.namespace}/${reference.name}`];
};

export const dataVolumeController = (connect: NodeConnector): Controller => ({
  name: "data-volume",
  workers,
  inputs: [
    { resource: dataVolumes },
    { resource: claims, keys: owner },
    { resource: pods, keys: owner },
    { resource: dataSources, keys: () => [] },
  ],
  outputs: [claims, pods, dataVolumes, { ...dataVolumes, resource: "datavolumes/status" }],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const dv = context.informer(dataVolumes).get(name, namespace);
    if (!dv || isDone(dv)) askedAt(context).delete(key);
    if (!dv || dv.metadata.deletionTimestamp) return removeGivers(key, context);
    await new Filling(dv, context, connect).run(key);
  },
});
