// One copy of a disk, by a pod: made when it is missing, looked at, and taken away when it is done.
import { randomBytes } from "node:crypto";
import type { ControllerContext } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { taskPod } from "../disks/task-pod.ts";
import type { TaskPod } from "../disks/task-pod.ts";
import type { DiskTask } from "../disks/task.ts";
import { isReplicated } from "../replication/record.ts";
import { claims, pods } from "../kinds/resources.ts";

const keyBytes = 24;

export type CopyState = { is: "running" | "done" } | { is: "failed"; why: string };

type Task = Omit<DiskTask, "key">;

/** A pod of its own for `owner`, by name; undefined until the cache shows it. */
export async function ensureTaskPod(
  context: ControllerContext,
  options: Omit<TaskPod, "task"> & { task: Task },
): Promise<KubeObject | undefined> {
  const { owner, name, task } = options;
  const namespace = owner.metadata.namespace!;
  const known = context.informer(pods).get(name, namespace);
  if (known) return controllerOf(known)?.uid === owner.metadata.uid ? known : undefined;
  const key = randomBytes(keyBytes).toString("hex");
  const isGated = options.volumes.some(({ claim }) =>
    isReplicated(context.informer(claims).get(claim, namespace)),
  );
  const draft = taskPod({ ...options, isGated, task: { ...task, key } });
  await context.client.create({ ...pods, namespace }, draft).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
  return undefined;
}

export async function removePod({ client }: ControllerContext, pod: KubeObject | undefined) {
  if (!pod || pod.metadata.deletionTimestamp) return;
  const { namespace, name, uid } = pod.metadata;
  await client
    .delete({ ...pods, namespace, name }, { preconditions: { uid } })
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
}

export function copyState(pod: KubeObject | undefined): CopyState {
  const phase = pod?.status?.phase;
  if (phase === "Succeeded") return { is: "done" };
  if (phase !== "Failed") return { is: "running" };
  const state = pod!.status.containerStatuses?.[0]?.state?.terminated;
  const why = state?.message?.trim() || pod!.status.message || `exit code ${state?.exitCode}`;
  return { is: "failed", why };
}
