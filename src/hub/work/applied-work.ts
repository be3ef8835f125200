// What the works of hubs made here, as it is written down at the site (AppliedManifestWorks): whose it is, what
// becomes of it when the site has another hub, and that whoever deletes such a record at the site takes back
// what it stands for.
import type { Client } from "../../client/client.ts";
import type { Controller } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { appliedManifestWorks } from "../kinds/resources.ts";
import type { AppliedResource } from "./manifest.ts";
import { isKept } from "./own-objects.ts";
import { removeApplied } from "./remove-applied.ts";

/** Tells Kerb's records from those of other agents at the same site. */
export const keeperLabels = { "app.kubernetes.io/managed-by": "kerb-agent" };
const leftoversMs = 2000;

export const isOurs = ({ metadata }: KubeObject) =>
  metadata.labels?.["app.kubernetes.io/managed-by"] ===
  keeperLabels["app.kubernetes.io/managed-by"];

/** Of hubs that the site had before, for works of the same name: the new hub's work takes them over. Pure. */
export const formerOf = (all: KubeObject[], own: KubeObject): KubeObject[] =>
  all.filter(
    (one) =>
      isOurs(one) &&
      one.metadata.uid !== own.metadata.uid &&
      one.spec?.manifestWorkName === own.spec?.manifestWorkName,
  );

/** An agent of another hub that keeps `live` too; undefined when nobody else does. Pure. */
export function otherKeeper(live: KubeObject, all: KubeObject[]): KubeObject | undefined {
  const owners = new Set((live.metadata.ownerReferences ?? []).map(({ uid }) => uid));
  return all.find((one) => !isOurs(one) && owners.has(one.metadata.uid));
}

export const appliedOf = ({ status }: KubeObject): AppliedResource[] =>
  status?.appliedResources ?? [];

/** Forgets a record; what it stands for stays. */
export async function forgetApplied(site: Client, { metadata }: KubeObject) {
  const target = { ...appliedManifestWorks, name: metadata.name };
  const gone = (error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  };
  await site.patch(target, "merge", { metadata: { finalizers: [] } }).catch(gone);
  await site.delete(target, { propagationPolicy: "Orphan" }).catch(gone);
}

/** Runs at the site, with and without a hub. */
export const appliedWork: Controller = {
  name: "applied-manifest-work",
  inputs: [{ resource: appliedManifestWorks }],
  outputs: [appliedManifestWorks],
  async reconcile(name, { client, informer, wakeAfter }) {
    const applied = informer(appliedManifestWorks).get(name);
    if (!applied?.metadata.deletionTimestamp || !isOurs(applied)) return;
    const ownerUids = [applied.metadata.uid];
    let left = 0;
    for (const one of appliedOf(applied)) {
      if (!(await removeApplied(client, one, { ownerUids, orphan: isKept(one) }))) left++;
    }
    if (left > 0) return wakeAfter(name, leftoversMs);
    const target = { ...appliedManifestWorks, name };
    await client.patch(target, "merge", { metadata: { finalizers: [] } }).catch((error) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  },
};
