// containerd's state: bundles and pipes, and some files for every program that a probe runs in a container. After a
// reboot it is of no use, so it does not wear the disk: it lies in memory. Where pods run whose state is on the disk
// since before, it stays there until they have ended.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../lib/run-command.ts";
import { shimsIn } from "./orphan-shims.ts";

/** A pod takes about 50 kB of it. */
const sizeMax = "128m";

const isMounted = (path: string) =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === path);

/** Called before containerd starts. Whoever may not mount has it on the disk. */
export async function stateInMemory(directory: string) {
  const state = join(directory, "state");
  if (isMounted(state) || (await shimsIn(directory)).length > 0) return;
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state, { recursive: true, mode: 0o711 });
  const options = `size=${sizeMax},mode=0711,nodev,nosuid`;
  await runCommand("mount", ["-t", "tmpfs", "-o", options, "kerb", state]).catch(() => {});
}
