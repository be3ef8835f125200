// The baseline: what lets a pod out of its box in known ways is not allowed.
import { containersOf, named, plural, quoted } from "./pod.ts";
import type { Control, Finding, PodShape } from "./pod.ts";

const unique = (values: readonly string[]) => [...new Set(values)].sort();

const found = (reason: string, parts: readonly string[]): Finding | undefined =>
  parts.length > 0 ? { reason, detail: parts.join(", ") } : undefined;

/** Pod and containers whose security context `breaks` the rule, as told in a finding. */
function holders(pod: PodShape, breaks: (context: any) => unknown): string[] {
  const parts: string[] = [];
  if (breaks(pod.spec.securityContext ?? {})) parts.push("pod");
  const bad = containersOf(pod).filter(({ securityContext }) => breaks(securityContext ?? {}));
  if (bad.length > 0) parts.push(named(bad));
  return parts;
}

const hostNamespaces: Control = ({ spec }) =>
  found(
    "host namespaces",
    ["hostNetwork", "hostPID", "hostIPC"]
      .filter((name) => spec[name])
      .map((name) => `${name}=true`),
  );

const privileged: Control = (pod) => {
  const bad = containersOf(pod).filter(({ securityContext }) => securityContext?.privileged);
  const detail = `${named(bad)} must not set securityContext.privileged=true`;
  return bad.length > 0 ? { reason: "privileged", detail } : undefined;
};

const defaultCapabilities = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

const capabilities: Control = (pod) => {
  const strange = (container: any): string[] =>
    (container.securityContext?.capabilities?.add ?? []).filter(
      (one: string) => !defaultCapabilities.has(one),
    );
  const bad = containersOf(pod).filter((container) => strange(container).length > 0);
  if (bad.length === 0) return undefined;
  const added = quoted(unique(bad.flatMap(strange)));
  const detail = `${named(bad)} must not include ${added} in securityContext.capabilities.add`;
  return { reason: "non-default capabilities", detail };
};

const hostPathVolumes: Control = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter((volume: any) => volume.hostPath);
  const names = bad.map(({ name }: any) => name);
  const detail = `${plural("volume", names)} ${quoted(names)}`;
  return bad.length > 0 ? { reason: "hostPath volumes", detail } : undefined;
};

const hostPorts: Control = (pod) => {
  const portsOf = (container: any): number[] =>
    (container.ports ?? []).map(({ hostPort }: any) => hostPort ?? 0).filter(Boolean);
  const bad = containersOf(pod).filter((container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = [...new Set(bad.flatMap(portsOf))].sort((a, b) => a - b);
  const uses = bad.length === 1 ? "uses" : "use";
  const detail = `${named(bad)} ${uses} ${plural("hostPort", ports)} ${ports.join(", ")}`;
  return { reason: "hostPort", detail };
};

const hostHandlersSince = 34;

/** A probe or hook of another host than the pod is asked from within the node's network. */
const hostHandlers: Control = (pod, minor) => {
  if (minor < hostHandlersSince) return undefined;
  const asksHost = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: any) =>
    [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].some(
      (handler) => handler?.httpGet?.host || handler?.tcpSocket?.host,
    );
  const bad = containersOf(pod).filter(asksHost);
  const detail = `${named(bad)} must not set host in probes or lifecycle hooks`;
  return bad.length > 0 ? { reason: "probe or lifecycle host", detail } : undefined;
};

const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

const appArmor: Control = (pod) => {
  const isBad = ({ appArmorProfile }: any) =>
    appArmorProfile && !["RuntimeDefault", "Localhost"].includes(appArmorProfile.type);
  const parts = holders(pod, isBad).map(
    (who) => `${who} must not set AppArmor profile type to "Unconfined"`,
  );
  for (const [key, value] of Object.entries(pod.annotations)) {
    if (!key.startsWith(appArmorPrefix)) continue;
    if (value === "" || value === "runtime/default" || value.startsWith("localhost/")) continue;
    parts.push(`annotation ${JSON.stringify(`${key}=${value}`)}`);
  }
  return found(plural("forbidden AppArmor profile", parts), parts);
};

const seLinuxTypes = new Set([
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
]);

const seLinux: Control = (pod) => {
  const all = [pod.spec.securityContext, ...containersOf(pod).map((one) => one.securityContext)];
  const options = all.map((context) => context?.seLinuxOptions ?? {});
  const types = unique(options.map(({ type = "" }) => type)).filter(
    (one) => !seLinuxTypes.has(one),
  );
  const rules: string[] = [];
  if (types.length > 0) rules.push(`${plural("type", types)} ${quoted(types)}`);
  if (options.some(({ user }) => user)) rules.push("user may not be set");
  if (options.some(({ role }) => role)) rules.push("role may not be set");
  const isBad = ({ seLinuxOptions: { type = "", user, role } = {} as any }: any) =>
    !seLinuxTypes.has(type) || user || role;
  const who = holders(pod, isBad).join(" and ");
  const detail = `${who} set forbidden securityContext.seLinuxOptions: ${rules.join("; ")}`;
  return rules.length > 0 ? { reason: "seLinuxOptions", detail } : undefined;
};

const procMount: Control = (pod) => {
  const isBad = ({ securityContext }: any) =>
    securityContext?.procMount && securityContext.procMount !== "Default";
  const bad = containersOf(pod).filter(isBad);
  const detail = `${named(bad)} must not set securityContext.procMount to "Unmasked"`;
  return bad.length > 0 ? { reason: "procMount", detail } : undefined;
};

const seccomp: Control = (pod) => {
  const isBad = ({ seccompProfile }: any) => seccompProfile?.type === "Unconfined";
  const rule = 'must not set securityContext.seccompProfile.type to "Unconfined"';
  return found(
    "seccompProfile",
    holders(pod, isBad).map((who) => `${who} ${rule}`),
  );
};

/** With the minor version of Kubernetes from which on each is safe. */
const safeSysctls = new Map([
  ["kernel.shm_rmid_forced", 0],
  ["net.ipv4.ip_local_port_range", 0],
  ["net.ipv4.tcp_syncookies", 0],
  ["net.ipv4.ping_group_range", 0],
  ["net.ipv4.ip_unprivileged_port_start", 0],
  ["net.ipv4.ip_local_reserved_ports", 27],
  ["net.ipv4.tcp_keepalive_time", 29],
  ["net.ipv4.tcp_fin_timeout", 29],
  ["net.ipv4.tcp_keepalive_intvl", 29],
  ["net.ipv4.tcp_keepalive_probes", 29],
  ["net.ipv4.tcp_rmem", 32],
  ["net.ipv4.tcp_wmem", 32],
]);

const sysctls: Control = ({ spec }, minor) => {
  const names = (spec.securityContext?.sysctls ?? []).map(({ name }: any) => name as string);
  const isSafe = (name: string) => {
    const since = safeSysctls.get(name);
    return since !== undefined && since <= minor;
  };
  return found(
    "forbidden sysctls",
    names.filter((name: string) => !isSafe(name)),
  );
};

const hostProcess: Control = (pod) => {
  const parts = holders(pod, ({ windowsOptions }) => windowsOptions?.hostProcess);
  const rule = "must not set securityContext.windowsOptions.hostProcess=true";
  return found(
    "hostProcess",
    parts.map((who) => `${who} ${rule}`),
  );
};

export const baseline: Control[] = [
  appArmor,
  capabilities,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostHandlers,
  privileged,
  procMount,
  seLinux,
  seccomp,
  sysctls,
  hostProcess,
];
