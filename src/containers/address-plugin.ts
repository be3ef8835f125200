// A pod that comes back after a reboot has the addresses it had: EndpointSlices name them, and while the link is cut
// nobody writes those anew. host-local cannot be told by containerd what a pod wants, so a shell script of ours stands
// before it, and reads the wish from a file named by the pod. What is taken meanwhile is not insisted on.
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The IPAM type in the network's configuration. */
export const addressPlugin = "kerb-addresses";

const wishes = (directory: string) => join(directory, "addresses");
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

const script = (directory: string, plugins: string) => `#!/bin/sh
plugin=${quote(join(plugins, "host-local"))}
uid=\${CNI_ARGS#*K8S_POD_UID=}
wish=${quote(wishes(directory))}/\${uid%%;*}
[ "$CNI_COMMAND" = ADD ] && [ -r "$wish" ] || exec "$plugin"
settings=$(cat)
# Its argument is a member more at the beginning of the settings.
asking="{\\"args\\":{\\"cni\\":{\\"ips\\":$(cat "$wish")}},\${settings#?}"
if answer=$(printf %s "$asking" | "$plugin"); then
  printf '%s\\n' "$answer"
else
  printf %s "$settings" | "$plugin"
fi
`;

/** Makes a folder of the plugins and ours; returns its path. */
export function writeNetworkPlugins(directory: string, plugins: string): string {
  const folder = join(directory, "cni-plugins");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  mkdirSync(wishes(directory), { recursive: true, mode: 0o700 });
  for (const name of readdirSync(plugins)) symlinkSync(join(plugins, name), join(folder, name));
  const path = join(folder, addressPlugin);
  writeFileSync(path, script(directory, plugins));
  chmodSync(path, 0o700);
  return folder;
}

/** Wishes for `addresses` while `make` runs. */
export async function withAddresses<T>(
  directory: string,
  { podUid, addresses = [] }: { podUid: string; addresses?: string[] },
  make: () => Promise<T>,
): Promise<T> {
  if (addresses.length === 0) return make();
  const file = join(wishes(directory), podUid);
  writeFileSync(file, JSON.stringify(addresses), { mode: 0o600 });
  try {
    return await make();
  } finally {
    rmSync(file, { force: true });
  }
}
