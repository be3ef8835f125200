// Files the agent gives to containers: /etc/hosts and the file for a container's last words.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Pod } from "./pod.ts";

interface HostsInput {
  pod: Pod;
  podIps: string[];
  clusterDomain: string;
}

/** Content of a pod's /etc/hosts, as kubelet writes it. `hostFile` is the host's own, for its network. */
export function hostsFile({ pod, podIps, clusterDomain }: HostsInput, hostFile?: string): string {
  const lines = ["# Kubernetes-managed hosts file."];
  if (hostFile !== undefined) {
    lines[0] = "# Kubernetes-managed hosts file (host network).";
    lines.push(hostFile.trimEnd());
  } else {
    lines.push(
      "127.0.0.1\tlocalhost",
      "::1\tlocalhost ip6-localhost ip6-loopback",
      "fe00::0\tip6-localnet",
      "fe00::0\tip6-mcastprefix",
      "fe00::1\tip6-allnodes",
      "fe00::2\tip6-allrouters",
    );
    const hostname = hostnameOf(pod);
    const full = fullNameOf(pod, clusterDomain);
    for (const ip of podIps) lines.push([ip, ...(full ? [full] : []), hostname].join("\t"));
  }
  const aliases: { ip: string; hostnames?: string[] }[] = pod.spec["hostAliases"] ?? [];
  if (aliases.length > 0) lines.push("", "# Entries added by HostAliases.");
  for (const { ip, hostnames = [] } of aliases) lines.push([ip, ...hostnames].join("\t"));
  return `${lines.join("\n")}\n`;
}

/** `spec.hostname`, else the pod's name cut to what a host name may be; what overrides it is taken as it is. */
function hostnameOf({ spec, metadata }: Pod): string {
  if (spec["hostnameOverride"] !== undefined) return spec["hostnameOverride"];
  const name: string = spec["hostname"] ?? metadata.name;
  return name.slice(0, 63).replace(/[-.]+$/, "");
}

/** With the domain of the pod's Service; undefined where it has none. */
function fullNameOf(pod: Pod, clusterDomain: string): string | undefined {
  const { subdomain, hostnameOverride } = pod.spec;
  if (!subdomain || hostnameOverride !== undefined) return undefined;
  return `${hostnameOf(pod)}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`;
}

/** As the kernel has it. */
const kernelHostnameMax = 64;

/** What the pod's programs are told that their machine's name is. Throws where that has no room. */
export function sandboxHostname(pod: Pod, clusterDomain: string): string {
  const full = pod.spec["setHostnameAsFQDN"] ? fullNameOf(pod, clusterDomain) : undefined;
  if (full && full.length > kernelHostnameMax) {
    throw new Error(
      `setHostnameAsFQDN: ${full} is too long (${kernelHostnameMax} characters is the max, ${full.length} requested)`,
    );
  }
  return full ?? hostnameOf(pod);
}

export function writeHostsFile(path: string, input: HostsInput) {
  const own = input.pod.spec["hostNetwork"] ? readFileSync("/etc/hosts", "utf8") : undefined;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, hostsFile(input, own));
}

/** An empty file that any user may write. */
export function makeTerminationFile(path: string) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "", { mode: 0o666 });
  chmodSync(path, 0o666);
}

const messageBytesMax = 4096;

/** What the container left as its last words. */
export async function readTerminationFile(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (!file) return "";
  try {
    // Its container may have written without end.
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(messageBytesMax),
      0,
      messageBytesMax,
      0,
    );
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  } finally {
    await file.close();
  }
}
