// Registries that containerd speaks to without TLS, because somebody named them. (Those on the loopback it
// speaks to so by itself.)
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const mark = "# Kerb wrote this file.";

/** containerd's configuration of one registry. Pure. */
const hostsFile = (host: string) => `${mark}
server = "http://${host}"
[host."http://${host}"]
  capabilities = ["pull", "resolve"]
`;

/** Those that are no longer named are forgotten. `folder` is containerd's certs.d. */
export function writeInsecureRegistries(folder: string, hosts: ReadonlySet<string>) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const host of readdirSync(folder)) {
    if (hosts.has(host)) continue;
    const file = join(folder, host, "hosts.toml");
    try {
      if (readFileSync(file, "utf8").startsWith(mark))
        rmSync(join(folder, host), { recursive: true });
    } catch {
      // Not ours.
    }
  }
  for (const host of hosts) {
    mkdirSync(join(folder, host), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, host, "hosts.toml"), hostsFile(host), { mode: 0o600 });
  }
}
