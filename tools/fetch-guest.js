// The kernel and the agent of the tests' guest, from Debian's packages, unpacked and not installed: nothing of
// this machine boots them. Kept in .cache/.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./prepare.js";

export const guestDirectory = join(root, ".cache/guest");

/** @param {string} directory @param {string} command @param {string[]} args */
function run(directory, command, args) {
  const { status, stdout } = spawnSync(command, args, {
    cwd: directory,
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed in ${directory}`);
  return stdout;
}

/** The package that carries the kernel itself, by the newest image that the meta package names. */
function kernelPackage() {
  const depends = run(root, "apt-cache", ["depends", "linux-image-cloud-amd64"]);
  const [name] = /linux-image-\d\S*/.exec(depends) ?? [];
  if (!name) throw new Error("apt knows no linux-image-cloud-amd64");
  return `${name}-unsigned`;
}

export function fetchGuest() {
  if (existsSync(guestDirectory) || process.arch !== "x64") return;
  if (!existsSync("/usr/bin/apt-get")) return;
  const packages = [kernelPackage(), "qemu-guest-agent"];
  console.error(`Fetching a guest for the tests (Debian packages ${packages.join(", ")}) ...`);
  const staging = `${guestDirectory}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  run(staging, "apt-get", ["download", ...packages]);
  for (const file of readdirSync(staging)) {
    if (file.endsWith(".deb")) run(staging, "dpkg-deb", ["-x", file, "."]);
  }
  for (const file of readdirSync(staging)) {
    if (file.endsWith(".deb")) rmSync(join(staging, file));
  }
  renameSync(staging, guestDirectory);
}
