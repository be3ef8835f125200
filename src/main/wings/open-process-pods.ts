// Pods of modules, and those that fill disks, without containerd, where this machine can: with bubblewrap, nsenter and
// setpriv, and a Node that may call the kernel itself.
import { readFileSync, realpathSync } from "node:fs";
import { PodNetworks } from "../../containers/pod-networks.ts";
import { signalNumber } from "../../containers/signal-number.ts";
import { systemRandom } from "../../lib/random.ts";
import { runCommand } from "../../lib/run-command.ts";
import { containerCgroups } from "../../node/machine/container-cgroups.ts";
import type { RunnerKind } from "../../node/process-programs.ts";
import type { Runtime } from "../../node/runtime.ts";
import { ownRunner } from "../../wasm/own-runner.ts";
import { diskProgram, diskPrograms, diskTools } from "../../vms/disks/disk-programs.ts";
import { taskFolder } from "../../vms/disks/task.ts";
import { runtimeClass } from "../../vms/domain.ts";
import { openKernel } from "../../wasm/pods/kernel.ts";
import { ModulePrograms } from "../../wasm/pods/module-programs.ts";
import { Modules } from "../../wasm/pods/modules.ts";
import { Places } from "../../wasm/pods/places.ts";
import { Runners } from "../../wasm/pods/runners.ts";
import { ProcessPods } from "../../wasm/pods/runtime.ts";
import { findTool } from "../commands/doctor.ts";
import { processPodsDirectory, modulesDirectory } from "./process-pods-settings.ts";
import type { ProcessPodsSettings } from "./process-pods-settings.ts";

const newId = () => `${systemRandom.uuid()}${systemRandom.uuid()}`.replaceAll("-", "");

/** A program's shared objects, the dynamic loader among them. */
async function librariesOf(program: string): Promise<string[]> {
  const said = await runCommand("ldd", [program]);
  return [...said.matchAll(/(\/\S+)/g)].map((match) => realpathSync(match[1]!));
}

/** Undefined where the machine cannot. */
export async function openProcessPods(
  runtime: Runtime,
  { directory, components, machines, network, clock }: ProcessPodsSettings,
): Promise<ProcessPods | undefined> {
  const [bwrap, nsenter, setpriv] = ["bwrap", "nsenter", "setpriv"].map(findTool);
  if (!bwrap || !nsenter || !setpriv) return undefined;
  // Before anything else is loaded into this process.
  const runner = ownRunner();
  const [kernel, libraries] = await Promise.all([openKernel(), librariesOf(setpriv)]);
  if (!kernel) return undefined;
  const modules = new Modules({ folder: modulesDirectory(directory), components }, runtime);
  const modulePrograms = new ModulePrograms({ modules, components });
  const tools = await diskTools(machines).catch(() => []);
  const disks = { ...runner, ...diskProgram(), tools, volumes: [taskFolder] };
  const runnerOf = ({ program }: RunnerKind) => (program === "disk" ? disks : runner);
  const places = new Places(processPodsDirectory(directory));
  const dropper = { executable: setpriv, libraries };
  const cgroups = await containerCgroups();
  return new ProcessPods({
    places,
    kernel,
    runners: new Runners({ places, kernel, runnerOf, dropper, cgroups, newId }),
    programsOf: (handler) => (handler === runtimeClass.handler ? diskPrograms : modulePrograms),
    imagesAre: (ids) => modules.forgetOthers(ids),
    networks: new PodNetworks(network),
    cgroups,
    boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    newId,
    clock,
    signalNumber,
  });
}
