// Takes back what a work made and does not want any more, if it is the work's alone.
import type { Client } from "../../client/client.ts";
import { isStatus } from "../../lib/status-error.ts";
import { liveOf, targetOf } from "./apply-manifest.ts";
import type { AppliedResource } from "./manifest.ts";

/** True when nothing of it is left, or it is not ours to take. */
export async function removeApplied(
  site: Client,
  one: AppliedResource,
  { ownerUids, orphan }: { ownerUids: string[]; orphan: boolean },
): Promise<boolean> {
  const target = targetOf(one);
  const live = await liveOf(site, target);
  if (!live || live.metadata.uid !== one.uid) return true;
  const owners = live.metadata.ownerReferences ?? [];
  const others = owners.filter(({ uid }) => !ownerUids.includes(uid));
  if (!orphan && others.length === owners.length) return true;
  if (orphan || others.length > 0) {
    if (others.length === owners.length) return true;
    const { uid, resourceVersion } = live.metadata;
    const metadata = { uid, resourceVersion, ownerReferences: others };
    await site.patch(target, "merge", { metadata });
    return true;
  }
  if (!live.metadata.deletionTimestamp) {
    const options = { propagationPolicy: "Background" as const, preconditions: { uid: one.uid } };
    await site.delete(target, options).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  }
  return (await liveOf(site, target)) === undefined;
}
