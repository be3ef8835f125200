// The addresses of a site that starts: its own, or those of the cluster of which it is a server.
import type { UpOptions } from "../../cli/up.ts";
import type { Clock } from "../../lib/clock.ts";
import { checkFamilies } from "../node/machine.ts";
import { addressesOf } from "./site-settings.ts";
import type { SiteAddresses, SiteSettings } from "./site-settings.ts";

/** Each would give its pods the first range of the same cluster. */
const onEtcd =
  "servers on etcd whose ranges were chosen (--pod-cidr, --service-cidr) have no pods of their own: " +
  "start them with --no-node, and let other machines join";

/** A server of a cluster on etcd takes the ranges that all its servers have. */
export async function addressesIn(
  { dataDir, serverTokenFile, node }: UpOptions,
  { name, slot, store, podNetwork, ranges }: SiteSettings,
  clock: Clock,
): Promise<SiteAddresses> {
  if (store && node !== false && ranges) throw new Error(onEtcd);
  let addresses: SiteAddresses = {
    ...addressesOf(slot, ranges),
    ...(podNetwork && { podNetwork }),
  };
  if (store) {
    const { openSharedCluster } = await import("./shared-cluster.ts");
    const cluster = await openSharedCluster({
      directory: dataDir,
      store,
      ...(serverTokenFile && { tokenFile: serverTokenFile }),
      addresses,
      name,
      clock,
    });
    addresses = cluster.addresses;
  }
  if (store && node !== false && addresses.second) throw new Error(onEtcd);
  if (node !== false) checkFamilies(addresses);
  return addresses;
}
