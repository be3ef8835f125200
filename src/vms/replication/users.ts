// Who uses a replicated volume, from the pods that name its claim. Pure.
import { controllerOf } from "../../kinds/object.ts";
import { byAge, hasFinished, hasSucceeded } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { domainAnnotation } from "../domain.ts";
import type { Domain } from "../domain.ts";
import type { User } from "./plan.ts";
import { replicaLabel, replicationGate } from "./record.ts";

/** The pod's volumes of a claim. */
export const volumesOf = (pod: KubeObject, claim: string): any[] =>
  (pod.spec.volumes ?? []).filter((one: any) => one.persistentVolumeClaim?.claimName === claim);

export const isGated = (pod: KubeObject): boolean =>
  (pod.spec.schedulingGates ?? []).some(({ name }: any) => name === replicationGate);

function kindOf(pod: KubeObject, claim: string): User["kind"] {
  const volumes = volumesOf(pod, claim);
  const text = pod.metadata.annotations?.[domainAnnotation];
  const disks = text === undefined ? [] : (JSON.parse(text) as Domain).disks;
  const isWritten = disks.some(
    ({ name, source }) =>
      source.kind === "file" && source.replicated && volumes.some((one) => one.name === name),
  );
  if (isWritten) return "machine";
  return volumes.every((one) => one.persistentVolumeClaim.readOnly) ? "reader" : "task";
}

const jobLabel = "kubevirt.io/migrationJobUID";

export function usersOf(pods: KubeObject[], claim: string): User[] {
  return pods
    .filter(({ metadata }) => metadata.labels?.[replicaLabel] === undefined)
    .filter((pod) => volumesOf(pod, claim).length > 0)
    .sort(byAge)
    .map((pod) => ({
      ...{ name: pod.metadata.name, uid: pod.metadata.uid, kind: kindOf(pod, claim) },
      ...{ isGated: isGated(pod), isOver: hasFinished(pod), isClean: hasSucceeded(pod) },
      ...(pod.spec.nodeName && { node: pod.spec.nodeName }),
      ...(pod.metadata.labels?.[jobLabel] && { movesFor: controllerOf(pod)?.uid ?? "" }),
    }));
}

/** Where a pod may run, in addition to what it asks for itself. */
export function affinityWithin(spec: any, hostnames: string[]) {
  const { affinity } = spec;
  const within = { key: "kubernetes.io/hostname", operator: "In", values: hostnames };
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const nodeSelectorTerms = (required?.nodeSelectorTerms ?? [{}]).map((term: any) => ({
    ...term,
    matchExpressions: [...(term.matchExpressions ?? []), within],
  }));
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
    },
  };
}
