// A work whose rules say that it is complete goes after `ttlSecondsAfterFinished`. The time begins when the hub
// hears of it, by the hub's clock, and is written down, so that neither a restart nor a site's clock moves it.
import type { Controller } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { Condition } from "../../lib/conditions.ts";
import { manifestWorks } from "../kinds/resources.ts";
import { completeType } from "./condition-rules.ts";

/** Annotation: when the hub heard that this content of the work is complete. */
export const completedAtAnnotation = "fleet.kerb.dev/completed-at";
/** Made anew by its set as soon as it is gone, so it would run for ever. */
const ofReplicaSet = "work.open-cluster-management.io/manifestworkreplicaset";

export type Step = { do: "nothing" | "begin" | "forget" | "delete" } | { do: "wait"; ms: number };

/** Pure; `now` is the hub's time. */
export function stepOf({ metadata, spec, status }: KubeObject, now: number): Step {
  const seconds: number | undefined = spec?.deleteOption?.ttlSecondsAfterFinished;
  const since = metadata.annotations?.[completedAtAnnotation];
  const complete = status?.conditions?.some(
    (one: Condition) =>
      one.type === completeType &&
      one.status === "True" &&
      one.observedGeneration === metadata.generation,
  );
  const counts = seconds !== undefined && complete && !metadata.labels?.[ofReplicaSet];
  if (metadata.deletionTimestamp) return { do: "nothing" };
  if (!counts) return { do: since === undefined ? "nothing" : "forget" };
  if (since === undefined) return seconds === 0 ? { do: "delete" } : { do: "begin" };
  const leftMs = Date.parse(since) + seconds * 1000 - now;
  return leftMs > 0 ? { do: "wait", ms: leftMs } : { do: "delete" };
}

export const timeToLive: Controller = {
  name: "manifest-work-time-to-live",
  inputs: [{ resource: manifestWorks }],
  outputs: [manifestWorks],
  async reconcile(key, { client, clock, informer, wakeAfter }) {
    const [namespace = "", name = ""] = key.split("/");
    const work = informer(manifestWorks).get(name, namespace);
    if (!work) return;
    const step = stepOf(work, clock.now());
    const target = { ...manifestWorks, namespace, name };
    if (step.do === "wait") return wakeAfter(key, step.ms + 1);
    if (step.do === "begin" || step.do === "forget") {
      const value = step.do === "begin" ? timestamp(clock.now()) : null;
      const annotations = { [completedAtAnnotation]: value };
      await client.patch(target, "merge", { metadata: { annotations } });
    }
    if (step.do !== "delete") return;
    const { uid, resourceVersion } = work.metadata;
    await client.delete(target, { preconditions: { uid, resourceVersion } }).catch((error) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  },
};
