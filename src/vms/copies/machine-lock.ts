// A machine that is being copied or restored does not start. The lock is a field of its status, which names the
// snapshot or restore; when that is gone, so is the lock.
import type { ControllerContext, Key } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { virtualMachines } from "../kinds/resources.ts";

export type LockField = "snapshotInProgress" | "restoreInProgress";

export async function setLock(
  { client }: ControllerContext,
  { metadata: { namespace, name } }: KubeObject,
  lock: Partial<Record<LockField, string | null>>,
) {
  const target = { ...virtualMachines, namespace, name, subresource: "status" };
  await client.patch(target, "merge", { status: lock }).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
}

/** Wakes whoever holds a machine's lock. */
export const lockHolder =
  (field: LockField) =>
  ({ metadata, status }: KubeObject): Key[] =>
    status?.[field] ? [`${metadata.namespace}/${status[field]}`] : [];

/** Frees what somebody who is gone held. */
export async function freeLocks(context: ControllerContext, key: Key, field: LockField) {
  const [namespace, name] = key.split("/") as [string, string];
  const held = context
    .informer(virtualMachines)
    .list(namespace)
    .filter(({ status }) => status?.[field] === name);
  for (const vm of held) await setLock(context, vm, { [field]: null });
}
