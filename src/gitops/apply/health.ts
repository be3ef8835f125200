// Whether an object is as it is meant to be, by what its kind says in its status. Pure.
import type { KubeObject } from "../../kinds/object.ts";

const condition = ({ status }: KubeObject, type: string) =>
  status?.conditions?.find((one: { type: string }) => one.type === type);

/** Undefined when it is healthy; else why it is not yet, and whether it never will be. */
export interface Unhealth {
  why: string;
  isFinal?: boolean;
}

function replicas({ spec, status }: KubeObject, ready: number): Unhealth | undefined {
  const wanted = spec?.replicas ?? 1;
  const updated = status?.updatedReplicas ?? 0;
  if (updated < wanted) return { why: `${updated} of ${wanted} are updated` };
  return ready < wanted ? { why: `${ready} of ${wanted} are ready` } : undefined;
}

const byKind: Record<string, (object: KubeObject) => Unhealth | undefined> = {
  Deployment(object) {
    if (condition(object, "Progressing")?.reason === "ProgressDeadlineExceeded") {
      return { why: "it made no progress in time", isFinal: true };
    }
    const { replicas: all = 0, updatedReplicas = 0, availableReplicas = 0 } = object.status ?? {};
    const missing = replicas(object, availableReplicas);
    return missing ?? (all > updatedReplicas ? { why: "older pods are still there" } : undefined);
  },
  StatefulSet: (object) => replicas(object, object.status?.readyReplicas ?? 0),
  DaemonSet({ status = {} }) {
    const wanted = status["desiredNumberScheduled"] ?? 0;
    const ready = Math.min(status["numberAvailable"] ?? 0, status["updatedNumberScheduled"] ?? 0);
    return ready < wanted ? { why: `${ready} of ${wanted} are ready` } : undefined;
  },
  Job(object) {
    const failed = condition(object, "Failed");
    if (failed?.status === "True") return { why: failed.message ?? "it failed", isFinal: true };
    return condition(object, "Complete")?.status === "True" ? undefined : { why: "it runs" };
  },
  Pod(object) {
    if (object.status?.phase === "Succeeded") return undefined;
    if (object.status?.phase === "Failed") return { why: "it failed", isFinal: true };
    return condition(object, "Ready")?.status === "True" ? undefined : { why: "it is not ready" };
  },
  PersistentVolumeClaim: ({ status }) =>
    status?.phase === "Bound" ? undefined : { why: "it is not bound" },
  CustomResourceDefinition: (object) =>
    condition(object, "Established")?.status === "True"
      ? undefined
      : { why: "it is not established" },
};

export function unhealthOf(object: KubeObject | undefined): Unhealth | undefined {
  if (!object) return { why: "it is not there" };
  if (object.metadata.deletionTimestamp) return { why: "it is being deleted" };
  const { generation } = object.metadata;
  const observed = object.status?.["observedGeneration"];
  if (observed !== undefined && generation !== undefined && observed < generation) {
    return { why: "it was not looked at yet" };
  }
  const known = byKind[object.kind!];
  if (known) return known(object);
  const ready = condition(object, "Ready");
  if (!ready || ready.status === "True") return undefined;
  return {
    why: ready.message || "it is not ready",
    isFinal: condition(object, "Stalled")?.status === "True",
  };
}
