// What plugins want a container to have, put into its configuration. What the pod itself says goes first.
import { ConfigError } from "../pods/config-error.ts";
import type { ContainerConfig } from "../runtime.ts";
import type { DeviceGrant } from "./ledger.ts";

/** Pure. */
export function withGrants(config: ContainerConfig, grants: readonly DeviceGrant[]) {
  if (grants.length === 0) return config;
  const env = [...config.env];
  const mounts = [...config.mounts];
  const devices = [...config.devices];
  const annotations = { ...config.annotations };
  for (const grant of grants) {
    for (const [name, value] of Object.entries(grant.envs)) {
      if (!env.some((one) => one.name === name)) env.push({ name, value });
    }
    for (const { container_path: containerPath, host_path: hostPath, read_only } of grant.mounts) {
      const same = mounts.find((one) => one.containerPath === containerPath);
      // Cards of one maker bring the same libraries.
      if (same?.hostPath === hostPath && same.readOnly === read_only) continue;
      if (same) {
        throw new ConfigError(`two mounts want ${containerPath}`);
      }
      mounts.push({ containerPath, hostPath, readOnly: read_only, propagation: "None" });
    }
    for (const {
      container_path: containerPath,
      host_path: hostPath,
      permissions,
    } of grant.devices) {
      if (devices.some((one) => one.containerPath === containerPath)) continue;
      devices.push({ containerPath, hostPath, permissions });
    }
    Object.assign(annotations, grant.annotations);
  }
  return { ...config, env, mounts, devices, annotations };
}
