// The seed of cloud-init as files: NoCloud's and OpenStack's config drive. Pure.
import type { IsoFiles } from "./iso9660.ts";

export interface Seed {
  uuid: string;
  hostname: string;
  namespace: string;
  user: string;
  network?: string;
}

export const seedLabel = { noCloud: "cidata", configDrive: "config-2" } as const;

export function noCloudFiles({ uuid, hostname, namespace, user, network }: Seed): IsoFiles {
  const meta = { "instance-id": uuid, "local-hostname": hostname, namespace };
  return new Map([
    ["meta-data", Buffer.from(`${JSON.stringify(meta)}\n`)],
    ["user-data", Buffer.from(user)],
    ...(network ? ([["network-config", Buffer.from(network)]] as const) : []),
  ]);
}

export function configDriveFiles({ uuid, hostname, user, network }: Seed): IsoFiles {
  const meta = { uuid, hostname, instance_id: uuid };
  return new Map([
    ["openstack/latest/meta_data.json", Buffer.from(JSON.stringify(meta))],
    ["openstack/latest/user_data", Buffer.from(user)],
    ...(network ? ([["openstack/latest/network_data.json", Buffer.from(network)]] as const) : []),
  ]);
}
