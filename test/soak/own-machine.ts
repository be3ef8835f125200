// A soak has network and mount namespaces to itself, as a machine would: every interface, route, rule, mount and network
// namespace that it finds there is its own. Its folder and disk are there outside too, since sites of one machine look
// whether those that took addresses are still there.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inForeground } from "../../tools/foreground.js";
import { run, runToEnd } from "../support/command.ts";

export const ownAddress = "192.0.2.2";

/** What other sites have mounted would go away in the midst, and stays theirs. */
const leaveOthers =
  "cut -d ' ' -f 2 /proc/self/mounts | grep -E '^(/tmp|/run/netns|/var/lib/kubelet)/' | " +
  'grep -v "^$KERB_SOAK_HOME/" | tac | xargs -r -n 1 umount --lazy';

/** The way out of the machine; not every kernel has dummy interfaces. */
const steps = [
  `{ ${leaveOthers}; true; }`,
  "mount -t tmpfs none /run/netns",
  "mkdir -p /var/lib/kubelet",
  "mount -t tmpfs none /var/lib/kubelet",
  "ip link set lo up",
  "ip link add out type bridge",
  `ip address add ${ownAddress}/24 dev out`,
  "ip link set out up",
  "ip route add default via 192.0.2.1",
];

/** Where the disk is mounted. Who cannot see the disk, sees that somebody's folder is there. */
export const diskOf = (home: string) => join(home, "site");

/** For the site, so that it can be full. */
export async function smallDisk(home: string) {
  const file = join(home, "disk");
  await run("fallocate", ["-l", "3G", file]);
  await run("mkfs.ext4", ["-q", "-N", "20000", "-F", file]);
  mkdirSync(diskOf(home));
  await run("mount", ["-o", "loop", file, diskOf(home)]);
  chmodSync(diskOf(home), 0o700);
}

/** Starts this program again inside, and resolves there, with the folder that `furnish` made ready. */
export async function inMachineOfItsOwn(furnish: (home: string) => Promise<void>) {
  const inside = process.env["KERB_SOAK_HOME"];
  if (inside) return inside;
  const home = mkdtempSync(join(tmpdir(), "kerb-soak-"));
  await furnish(home);
  const script = [...steps, 'exec "$@"'].join(" && ");
  const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // What trials make lies in the folder, and is counted with the rest.
  const env = { ...process.env, KERB_SOAK_HOME: home, TMPDIR: home };
  const args = ["--mount", "--net", "sh", "-c", script, "sh", ...own];
  const code = await inForeground("unshare", args, { env });
  await runToEnd("umount", ["--lazy", diskOf(home)]);
  rmSync(home, { recursive: true, force: true });
  process.exit(code);
}
