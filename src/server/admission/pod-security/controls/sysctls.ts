// Only what the kernel keeps apart for each pod may be set.
import type { Check, Control } from "../control.ts";

const since = [
  {
    minor: 0,
    names: [
      "kernel.shm_rmid_forced",
      "net.ipv4.ip_local_port_range",
      "net.ipv4.tcp_syncookies",
      "net.ipv4.ping_group_range",
      "net.ipv4.ip_unprivileged_port_start",
    ],
  },
  { minor: 27, names: ["net.ipv4.ip_local_reserved_ports"] },
  {
    minor: 29,
    names: [
      "net.ipv4.tcp_keepalive_time",
      "net.ipv4.tcp_fin_timeout",
      "net.ipv4.tcp_keepalive_intvl",
      "net.ipv4.tcp_keepalive_probes",
    ],
  },
  { minor: 32, names: ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"] },
];

const checkAt = (minor: number): Check => {
  const allowed = new Set(since.filter((one) => one.minor <= minor).flatMap(({ names }) => names));
  return ({ spec }) => {
    const bad = (spec.securityContext?.sysctls ?? []).filter(({ name }: any) => !allowed.has(name));
    if (bad.length === 0) return undefined;
    return { reason: "forbidden sysctls", detail: bad.map(({ name }: any) => name).join(", ") };
  };
};

export const sysctls: Control = {
  id: "sysctls",
  level: "baseline",
  versions: since.map(({ minor }) => ({ since: minor, check: checkAt(minor) })),
};
