// What containerd is told of registries (its certs.d): which are spoken to without TLS because somebody named
// them, and which have a mirror that is asked first. (Those on the loopback need no TLS by themselves.)
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Registries } from "../lib/registries.ts";

const mark = "# Kerb wrote this file.";

/** containerd's configuration of one registry. Pure. */
function hostsFile(host: string, { insecure, mirrors }: Registries): string {
  const server = host === "docker.io" ? "registry-1.docker.io" : host;
  const own = `http${insecure.has(host) ? "" : "s"}://${server}`;
  const mirror = mirrors.get(host);
  const hosts = [...(mirror ? [mirror] : []), ...(insecure.has(host) ? [own] : [])];
  const entries = hosts.map((url) => `[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`);
  return `${mark}\nserver = "${own}"\n${entries.join("")}`;
}

function isOurs(file: string): boolean {
  try {
    return readFileSync(file, "utf8").startsWith(mark);
  } catch {
    return false;
  }
}

/** Those that are no longer named are forgotten. `folder` is containerd's certs.d. */
export function writeRegistryHosts(folder: string, registries: Registries) {
  const named = new Set([...registries.insecure, ...registries.mirrors.keys()]);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const host of readdirSync(folder)) {
    if (named.has(host) || !isOurs(join(folder, host, "hosts.toml"))) continue;
    rmSync(join(folder, host), { recursive: true });
  }
  for (const host of named) {
    mkdirSync(join(folder, host), { recursive: true, mode: 0o700 });
    const text = hostsFile(host, registries);
    writeFileSync(join(folder, host, "hosts.toml"), text, { mode: 0o600 });
  }
}
