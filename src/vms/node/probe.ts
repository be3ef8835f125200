// What VMs can have on this machine: asked of the machine once, when the node starts, and believed only as far
// as it was seen to work.
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Duplex } from "node:stream";
import type { Clock } from "../../lib/clock.ts";
import { runCommand } from "../../lib/run-command.ts";
import { qemuBinary } from "../prepare/host-qemu.ts";
import type { Capabilities } from "../prepare/host-qemu.ts";
import { Qmp } from "./qmp.ts";
import { bootSector, probeArguments, probeExitCode, whyNoKvm } from "./boot-probe.ts";

const bootMsMax = 5000;

function opens(path: string): boolean {
  try {
    closeSync(openSync(path, "r+"));
    return true;
  } catch {
    return false;
  }
}

const modules = () => readdirSync("/sys/module").filter((name) => name.startsWith("kvm_"));

/** Why a boot by `accelerator` does not work here; undefined when it does. */
export function tryBoot(
  accelerator: "kvm" | "tcg",
  { directory, clock }: { directory: string; clock: Clock },
): Promise<string | undefined> {
  const disk = join(directory, "probe.img");
  writeFileSync(disk, bootSector());
  return new Promise((resolve) => {
    const args = probeArguments(disk, accelerator);
    const child = spawn(qemuBinary, args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const cancel = clock.after(bootMsMax, () => {
      said ||= `a boot by ${accelerator} took over ${bootMsMax} ms`;
      child.kill("SIGKILL");
    });
    child.on("error", ({ message }) => (said ||= message));
    child.on("close", (code) => {
      cancel();
      resolve(code === probeExitCode ? undefined : said.trim().split("\n")[0] || `exit ${code}`);
    });
  });
}

export interface NodeCapabilities extends Capabilities {
  version: string;
  /** Processors that guests may have here. */
  models: string[];
}

/** Asks a QEMU without a machine what it could emulate or virtualize. */
async function processors(accelerator: "kvm" | "tcg"): Promise<string[]> {
  const args = ["-machine", "none", "-accel", accelerator, "-nodefaults", "-display", "none"];
  const child = spawn(qemuBinary, [...args, "-qmp", "stdio"], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  try {
    const ends = { readable: child.stdout, writable: child.stdin };
    // A pair of streams is taken, too, which the types do not say.
    const qmp = await Qmp.open(Duplex.from(ends as unknown as NodeJS.ReadableStream));
    const definitions: any[] = await qmp.execute("query-cpu-definitions");
    const usable = definitions.filter(
      (one) => (one["unavailable-features"] ?? []).length === 0 && !one.deprecated,
    );
    return usable.map(({ name }) => String(name)).sort();
  } finally {
    child.kill("SIGKILL");
  }
}

/** Undefined where there is no QEMU. */
export async function probe(
  directory: string,
  clock: Clock,
): Promise<NodeCapabilities | undefined> {
  if (!existsSync(qemuBinary)) return undefined;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const shown = await runCommand(qemuBinary, ["--version"]);
  const version = /version (\S+)/.exec(shown)?.[1] ?? "";
  const hardware = {
    hasDevice: opens("/dev/kvm"),
    modules: modules(),
    architecture: process.arch,
  };
  const why = whyNoKvm(hardware) ?? (await tryBoot("kvm", { directory, clock }));
  const accelerator = why === undefined ? "kvm" : "tcg";
  const models = await processors(accelerator);
  const found: NodeCapabilities = { accelerator, ...(why && { why }), version, models };
  writeFileSync(join(directory, "capabilities.json"), JSON.stringify(found));
  return found;
}
