// What the API should show of a node's static pods. Pure.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Pod } from "../pods/pod.ts";
import { annotations } from "./identity.ts";

/** The mirror of `pod` that the node makes, once it knows its own uid. */
export function mirrorOf(pod: Pod, node: KubeObject): Draft {
  const { name, namespace, labels, annotations: own = {} } = pod.metadata;
  const { uid, name: nodeName } = node.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: namespace!,
      ...(labels && { labels }),
      annotations: { ...own, [annotations.mirror]: own[annotations.hash]! },
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: nodeName, uid, controller: true }],
    },
    spec: pod.spec,
  };
}

/** Names a pod, and its mirror. */
export const keyOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`;

export const isMirrorOf = (mirror: KubeObject, pod: Pod) =>
  mirror.metadata.annotations?.[annotations.mirror] === pod.metadata.uid;

export interface MirrorPlan {
  create: Pod[];
  remove: KubeObject[];
  /** Which mirror shows which static pod. */
  shown: [Pod, KubeObject][];
}

/** `statics` are those that run or should; a mirror that somebody deletes is made again. */
export function planMirrors(statics: Pod[], mirrors: KubeObject[]): MirrorPlan {
  const byKey = new Map(mirrors.map((mirror) => [keyOf(mirror), mirror]));
  const plan: MirrorPlan = { create: [], remove: [], shown: [] };
  for (const pod of statics) {
    const mirror = byKey.get(keyOf(pod));
    byKey.delete(keyOf(pod));
    if (!mirror) plan.create.push(pod);
    else if (mirror.metadata.deletionTimestamp || !isMirrorOf(mirror, pod))
      plan.remove.push(mirror);
    else plan.shown.push([pod, mirror]);
  }
  plan.remove.push(...byKey.values());
  return plan;
}
