// The heartbeat of a site, which is most of what an idle link carries: the time and nothing else there, and back an
// object without the book of who owns which field. Hubs of others let their sites update a lease and not patch it.
import type { Client, Target } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";

/** What Kubernetes takes for: nobody owns fields here. */
const nobodys = [{}];

/** Says at each call what time it is, as `meta/v1 MicroTime`. */
export function leaseRenewal(hub: Client, target: Target): (renewTime: string) => Promise<void> {
  let mayPatch = true;
  let known: KubeObject | undefined;

  async function patch(renewTime: string) {
    const metadata = known?.metadata.managedFields && { metadata: { managedFields: nobodys } };
    const body = { ...metadata, spec: { renewTime } };
    known = await hub.patch(target, "merge", body, { brief: true });
  }

  async function update(renewTime: string) {
    const lease = known ?? (await hub.get(target));
    known = undefined;
    const metadata = { ...lease.metadata, managedFields: nobodys };
    known = await hub.update(target, {
      ...lease,
      metadata: metadata as KubeObject["metadata"],
      spec: { ...lease.spec, renewTime },
    });
  }

  return async (renewTime) => {
    if (!mayPatch) return update(renewTime);
    try {
      await patch(renewTime);
    } catch (error) {
      if (!isStatus(error, "Forbidden", "MethodNotAllowed")) throw error;
      mayPatch = false;
      await update(renewTime);
    }
  };
}
