// A pod's sandbox as the runtime makes it. Pure.
import { sandboxHostname } from "./host-files.ts";
import { allContainers } from "./pod.ts";
import type { Container, Pod } from "./pod.ts";
import type { SandboxConfig } from "../runtime.ts";
import { rangeLength } from "../machine/user-namespaces.ts";

export interface DnsSettings {
  clusterDomain: string;
  dnsServiceIps: string[];
  /** The machine's own resolv.conf. */
  host: SandboxConfig["dns"];
}

export function dnsOf(pod: Pod, { clusterDomain, dnsServiceIps, host }: DnsSettings) {
  const { hostNetwork, dnsPolicy = "ClusterFirst", dnsConfig } = pod.spec as any;
  const cluster =
    dnsPolicy === "ClusterFirstWithHostNet" || (dnsPolicy === "ClusterFirst" && !hostNetwork);
  const { namespace } = pod.metadata;
  let base: SandboxConfig["dns"] = { servers: [], searches: [], options: [] };
  if (cluster && dnsServiceIps.length > 0) {
    const zone = `svc.${clusterDomain}`;
    const searches = [`${namespace}.${zone}`, zone, clusterDomain, ...host.searches];
    base = { servers: dnsServiceIps, searches, options: ["ndots:5"] };
  } else if (dnsPolicy !== "None") base = host;
  const unique = (values: string[]) => [...new Set(values)];
  const own = (dnsConfig?.options ?? []).map((option: { name: string; value?: string }) =>
    option.value === undefined ? option.name : `${option.name}:${option.value}`,
  );
  const replaced = new Set(own.map((option: string) => option.split(":")[0]));
  return {
    servers: unique([...base.servers, ...(dnsConfig?.nameservers ?? [])]),
    searches: unique([...base.searches, ...(dnsConfig?.searches ?? [])]),
    options: [...base.options.filter((one) => !replaced.has(one.split(":")[0]!)), ...own],
  };
}

/** The machine's resolv.conf. */
export function parseResolvConf(text: string): SandboxConfig["dns"] {
  const result: SandboxConfig["dns"] = { servers: [], searches: [], options: [] };
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === "nameserver") result.servers.push(...rest.slice(0, 1));
    if (word === "search") result.searches = rest;
    if (word === "options") result.options.push(...rest);
  }
  return result;
}

const isPrivileged = ({ securityContext }: Container) => securityContext?.privileged === true;

export interface SandboxSettings {
  dns: DnsSettings;
  cgroupParent: string;
  logDirectory: string;
  /** The first user of the pod's own on the machine. */
  usersFrom?: number | undefined;
}

export function sandboxConfig(
  pod: Pod,
  attempt: number,
  { dns, cgroupParent, logDirectory, usersFrom }: SandboxSettings,
): SandboxConfig {
  const { metadata } = pod;
  const spec = pod.spec as any;
  const sysctls: { name: string; value: string }[] = spec.securityContext?.sysctls ?? [];
  const ports = allContainers(pod).flatMap((container) => container.ports ?? []);
  return {
    podUid: metadata.uid,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    attempt,
    hostname: spec.hostNetwork ? "" : sandboxHostname(pod, dns.clusterDomain),
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    hostNetwork: spec.hostNetwork ?? false,
    addresses: spec.hostNetwork
      ? []
      : (pod.status?.podIPs ?? []).map((one: { ip: string }) => one.ip),
    hostPid: spec.hostPID ?? false,
    hostIpc: spec.hostIPC ?? false,
    shareProcessNamespace: spec.shareProcessNamespace ?? false,
    dns: dnsOf(pod, dns),
    sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value])),
    portMappings: spec.hostNetwork
      ? []
      : ports
          .filter(({ hostPort }) => hostPort)
          .map(({ protocol = "TCP", containerPort, hostPort, hostIP = "" }) => ({
            protocol,
            containerPort,
            hostPort,
            hostIp: hostIP,
          })),
    logDirectory,
    cgroupParent,
    securityContext: {
      ...spec.securityContext,
      // A sandbox must allow what any of its containers wants.
      ...(allContainers(pod).some(isPrivileged) && { privileged: true }),
    },
    handler: "",
    containers: allContainers(pod),
    ...(usersFrom !== undefined && {
      userNamespace: { hostId: usersFrom, length: rangeLength },
    }),
  };
}
