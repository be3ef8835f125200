// Why a pod that has its node does not come up (a Secret that nobody made, a volume that cannot be mounted): only its
// Events say so, and whoever made a machine does not look at pods.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Failure } from "./conditions.ts";

const events = resource("v1", "events");

/** Time to come up in which nobody asks. */
const patienceMs = 5000;

/** It has a node, and nothing in it has begun for a while. Pure. */
export function isStuck({ spec, status, metadata }: KubeObject, now: number): boolean {
  if (!spec.nodeName || metadata.deletionTimestamp || status?.phase !== "Pending") return false;
  return now - Date.parse(metadata.creationTimestamp ?? "") > patienceMs;
}

const timeOf = ({ lastTimestamp, eventTime, metadata }: any): number =>
  Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp);

/** The last that was said of a volume, if anything was. Pure. */
export function lastWarning(all: KubeObject[]): Failure | undefined {
  const [last] = all
    .filter((one: any) => one.type === "Warning" && /^Failed(Mount|AttachVolume)$/.test(one.reason))
    .sort((a, b) => timeOf(b) - timeOf(a));
  return last && { reason: last["reason"], message: last["message"] };
}

export async function podWarning(client: Client, pod: KubeObject): Promise<Failure | undefined> {
  const { namespace, uid } = pod.metadata;
  const fieldSelector = `involvedObject.uid=${uid}`;
  const { items } = await client.list({ ...events, namespace: namespace! }, { fieldSelector });
  return lastWarning(items);
}
