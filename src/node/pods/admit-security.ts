// What a node will not do for a pod however much room it has: sysctls that reach beyond the pod, profiles of a
// security module that the kernel lacks, groups that the runtime cannot keep out. In kubelet's words. Pure.
import { allContainers } from "./pod.ts";
import type { Pod } from "./pod.ts";
import type { Ending } from "./ending.ts";

export interface SecurityAbilities {
  /** Beside the safe ones; a `*` at the end stands for the rest. */
  allowedUnsafeSysctls: string[];
  appArmor: boolean;
  /** Whether the runtime heeds `supplementalGroupsPolicy: Strict`. */
  strictGroups: boolean;
}

/** Those that touch the pod's own namespaces only (pkg/kubelet/sysctl). */
const safeSysctls = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

/** `kernel/shm` and `kernel.shm` are the same name, with the first separator deciding. */
export function sysctlName(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  if (first !== "/") return name;
  return name.replace(/[./]/g, (one) => (one === "/" ? "." : "/"));
}

const matches = (pattern: string, name: string) =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

const inIpc = (name: string) =>
  /^kernel\.(shm|msg|sem)/.test(name) || name.startsWith("fs.mqueue.");

function sysctlRefusal(pod: Pod, allowed: string[]): string | undefined {
  const { securityContext, hostNetwork, hostIPC } = pod.spec as Record<string, any>;
  for (const { name: written } of securityContext?.sysctls ?? []) {
    const name = sysctlName(written);
    const text = JSON.stringify(name);
    if (!safeSysctls.has(name) && !allowed.some((one) => matches(one, name))) {
      return `${text} not allowlisted`;
    }
    if (hostNetwork && name.startsWith("net.")) {
      return `${text} not allowed with host net enabled`;
    }
    if (hostIPC && inIpc(name)) return `${text} not allowed with host ipc enabled`;
  }
  return undefined;
}

const isConfined = (profile: { type?: string } | undefined) =>
  profile?.type !== undefined && profile.type !== "Unconfined";

export function securityRefusal(pod: Pod, abilities: SecurityAbilities): Ending | undefined {
  const own = pod.spec["securityContext"] ?? {};
  const sysctl = sysctlRefusal(pod, abilities.allowedUnsafeSysctls);
  if (sysctl) return { reason: "SysctlForbidden", message: `forbidden sysctl: ${sysctl}` };
  const profiles = [own, ...allContainers(pod).map((one) => one.securityContext ?? {})];
  if (!abilities.appArmor && profiles.some((one) => isConfined(one.appArmorProfile))) {
    const why = "AppArmor is not enabled on the host";
    return { reason: "AppArmor", message: `Cannot enforce AppArmor: ${why}` };
  }
  if (own.supplementalGroupsPolicy === "Strict" && !abilities.strictGroups) {
    const message = "SupplementalGroupsPolicy=Strict is not supported in this node";
    return { reason: "SupplementalGroupsPolicyNotSupported", message };
  }
  return undefined;
}
