// A claim that people make for an upload (`virtctl image-upload pvc`), without a DataVolume: a pod waits for its disk,
// and the claim's annotations say how far that is, which is where uploading clients look.
import { isReady } from "../../controllers/pod-state.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { copyState, ensureTaskPod, removePod } from "../copies/copy-task.ts";
import { claims, pods } from "../kinds/resources.ts";
import { podPhase, podReady, uploadTarget } from "./claim-progress.ts";
import { taskPodName } from "./source-task.ts";
import { taskPaths } from "./task.ts";

/** A DataVolume's claim is its own affair. */
export const isForUpload = (claim: KubeObject) =>
  claim.metadata.annotations?.[uploadTarget] !== undefined && controllerOf(claim) === undefined;

/** What a claim says while `pod` waits for its disk. Pure. */
export function uploadState(pod: KubeObject | undefined) {
  const { is } = copyState(pod);
  if (pod && is === "done") return { phase: "Succeeded", ready: false };
  const runs = pod?.status?.phase === "Running";
  return { phase: runs ? "Running" : "Pending", ready: runs && isReady(pod!) };
}

class Uploading {
  readonly #claim: KubeObject;
  readonly #context: ControllerContext;

  constructor(claim: KubeObject, context: ControllerContext) {
    this.#claim = claim;
    this.#context = context;
  }

  async run() {
    const { spec, metadata } = this.#claim;
    const block = spec.volumeMode === "Block";
    const pod = await ensureTaskPod(this.#context, {
      owner: this.#claim,
      name: taskPodName(this.#claim, "upload"),
      task: { kind: "upload", bytes: parseQuantity(spec.resources.requests.storage), block },
      volumes: [{ claim: metadata.name, block, path: taskPaths.target }],
    });
    const { phase, ready } = uploadState(pod);
    await this.#say({ [podPhase]: phase, [podReady]: String(ready) });
    const state = copyState(pod);
    if (pod && state.is === "failed") {
      this.#context.event(this.#claim, "Warning", "UploadFailed", state.why);
    }
    // Whoever sent what is no disk may send another.
    if (pod && state.is !== "running") await removePod(this.#context, pod);
  }

  async #say(wanted: Record<string, string>) {
    const { namespace, name, annotations = {} } = this.#claim.metadata;
    if (Object.entries(wanted).every(([key, value]) => annotations[key] === value)) return;
    const at = { ...claims, namespace: namespace!, name };
    await this.#context.client.patch(at, "merge", { metadata: { annotations: wanted } });
  }
}

const owner = (pod: KubeObject): Key[] => {
  const reference = controllerOf(pod);
  if (reference?.kind !== "PersistentVolumeClaim") return [];
  return [`${pod.metadata.namespace}/${reference.name}`];
};

export const claimUploadController: Controller = {
  name: "claim-upload",
  inputs: [{ resource: claims }, { resource: pods, keys: owner }],
  outputs: [claims, pods],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const claim = context.informer(claims).get(name, namespace);
    if (!claim || !isForUpload(claim)) return;
    const { annotations, deletionTimestamp } = claim.metadata;
    const pod = context.informer(pods).get(taskPodName(claim, "upload"), namespace);
    const isOver = deletionTimestamp || annotations?.[podPhase] === "Succeeded";
    const own = pod && controllerOf(pod)?.uid === claim.metadata.uid ? pod : undefined;
    if (isOver) return removePod(context, own);
    await new Uploading(claim, context).run();
  },
};
