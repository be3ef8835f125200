// The seed of cloud-init as files: NoCloud's and OpenStack's config drive. Pure.
import type { IsoFiles } from "./iso9660.ts";

export interface Seed {
  uuid: string;
  hostname: string;
  namespace: string;
  user: string;
  /** Of SSH. */
  keys: string[];
  network?: string;
}

export const seedLabel = { noCloud: "cidata", configDrive: "config-2" } as const;

const numbered = (keys: string[]) => Object.fromEntries(keys.map((key, i) => [String(i), key]));

export function noCloudFiles(seed: Seed): IsoFiles {
  const { uuid, hostname, namespace, user, keys, network } = seed;
  const meta = {
    ...{ "instance-id": uuid, "local-hostname": hostname, namespace },
    ...(keys.length > 0 && { "public-keys": numbered(keys) }),
  };
  return new Map([
    ["meta-data", Buffer.from(`${JSON.stringify(meta)}\n`)],
    ["user-data", Buffer.from(user)],
    ...(network ? ([["network-config", Buffer.from(network)]] as const) : []),
  ]);
}

export function configDriveFiles({ uuid, hostname, user, keys, network }: Seed): IsoFiles {
  const meta = {
    ...{ uuid, hostname, instance_id: uuid },
    ...(keys.length > 0 && { public_keys: numbered(keys) }),
  };
  return new Map([
    ["openstack/latest/meta_data.json", Buffer.from(JSON.stringify(meta))],
    ["openstack/latest/user_data", Buffer.from(user)],
    ...(network ? ([["openstack/latest/network_data.json", Buffer.from(network)]] as const) : []),
  ]);
}
