// Jobs that say so are deleted a while after they finished, with all that is theirs.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const jobs = resource("batch/v1", "jobs");

/** How long until the job may go: undefined for one that stays, or has not finished. Pure. */
export function leftMs({ spec, status, metadata }: KubeObject, now: number): number | undefined {
  const ttl: number | undefined = spec.ttlSecondsAfterFinished;
  const end = (status?.conditions ?? []).find(
    ({ type, status: is }: any) => (type === "Complete" || type === "Failed") && is === "True",
  );
  if (ttl === undefined || !end || metadata.deletionTimestamp) return undefined;
  const finished = Date.parse(end.lastTransitionTime);
  // A time that lies ahead was told by a wrong clock: the job gets one lifetime from now.
  return Math.max(0, Math.min(finished, now) + ttl * 1000 - now);
}

export const ttlAfterFinished: Controller = {
  name: "ttl-after-finished",
  inputs: [{ resource: jobs }],
  outputs: [jobs],
  async reconcile(key, { client, clock, informer, wakeAfter }) {
    const [namespace, name] = key.split("/") as [string, string];
    const job = informer(jobs).get(name, namespace);
    const left = job && leftMs(job, clock.now());
    if (!job || left === undefined) return;
    if (left > 0) return wakeAfter(key, left);
    const { uid, resourceVersion } = job.metadata;
    // Its time may have been made longer since: the deletion is of what was seen here.
    const preconditions = { uid, resourceVersion };
    const options = { preconditions, propagationPolicy: "Foreground" } as const;
    await client.delete({ ...jobs, namespace, name }, options).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  },
};
