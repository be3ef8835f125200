// A claim of another namespace that a DataVolume copies: a pod there gives its disk away, to the pod here that knows
// its key. Who may do so is asked at admission (`admission/clone-rights.ts`). Pure.
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { taskPod } from "./task-pod.ts";
import { taskPaths, taskPort } from "./task.ts";
import type { DiskTask } from "./task.ts";
import { isReplicated } from "../replication/record.ts";

/** Of a pod that gives a disk away: NAMESPACE/NAME of the DataVolume. It has no owner, which would be elsewhere. */
export const cloneForAnnotation = "vms.kerb.dev/clone-for";

export const giverName = ({ metadata }: KubeObject) => `cdi-clone-source-${metadata.uid}`;

const disk = "disk";

/** The pod in the namespace of the claim that is copied. */
export function giverPod(dv: KubeObject, claim: KubeObject, key: string): Draft {
  const block = claim.spec.volumeMode === "Block";
  const path = block ? taskPaths.source : `${taskPaths.source}/disk.img`;
  const { metadata, ...pod } = taskPod({
    owner: claim,
    name: giverName(dv),
    task: { kind: "serve", bytes: 0, block: false, key, volumes: [{ name: disk, path }] },
    volumes: [{ claim: claim.metadata.name, block, path: taskPaths.source, readOnly: true }],
    isGated: isReplicated(claim),
  });
  const { ownerReferences: _, annotations, ...rest } = metadata!;
  const whose = `${dv.metadata.namespace}/${dv.metadata.name}`;
  return {
    ...pod,
    metadata: { ...rest, annotations: { ...annotations, [cloneForAnnotation]: whose } },
  };
}

/** What the pod that is filled does: the disk is raw, whatever its first bytes look like. */
export const takerTask = (podIP: string, key: string): Partial<DiskTask> => ({
  kind: "http",
  url: `http://${podIP}:${taskPort}/${disk}/disk.img`,
  headers: [`authorization: Bearer ${key}`],
  isRaw: true,
});

/** Why a source in another namespace is not followed. */
export function straying(dv: KubeObject, source: any): string | undefined {
  const { sourceRef } = dv.spec;
  const { namespace } = dv.metadata;
  const from: string = source?.pvc?.namespace ?? namespace;
  if (!sourceRef || from === namespace || from === (sourceRef.namespace ?? namespace)) {
    return undefined;
  }
  return `DataSource ${sourceRef.name} leads to another namespace than its own, which is not followed`;
}
