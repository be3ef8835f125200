// Answers what `VmControl` asks of one VM, by QMP and the guest's agent.
import { chown, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { sleep } from "../../lib/clock.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import type { VmControl } from "../control.ts";
import { qemuUser } from "../domain.ts";
import { socketNames, usbSlots } from "../qemu/launch.ts";
import { guestAgentInfo, guestFilesystems, guestUsers } from "./guest-facts.ts";
import { hotplug, hotunplug, resizeDisk } from "./hotplug.ts";
import type { HolderVolumes } from "./hotplug.ts";
import { backupDisks } from "./backup.ts";
import { dumpMemory } from "./dump-memory.ts";
import { dialIn } from "./sockets.ts";
import { openUdp } from "./udp.ts";
import type { Streams } from "./streams.ts";
import type { Vm } from "./vm.ts";
import { isHeld, release } from "./replication/held.ts";
import { attach, detach } from "./replication/links.ts";
import { hasArrived } from "./replication/switch.ts";
import { view } from "./replication/view.ts";
import { prepare, recover } from "./arriving.ts";
import * as migration from "./migration.ts";

const execMsMax = 30_000;
const execPollMs = 100;
/** While a copy begins. */
const frozenSecondsMax = 30;

export interface ControlOptions {
  streams: Streams;
  volumes: HolderVolumes;
}

async function screenshot(vm: Vm): Promise<string> {
  if (!vm.domain.graphics) throw badRequest("No graphics device is attached");
  const { run } = vm.options;
  const folder = await mkdtemp(join(run, "screen-"));
  try {
    const name = folder.slice(run.length + 1);
    await chown(folder, qemuUser, qemuUser);
    const filename = join(vm.options.inside, name, "screen.png");
    await vm.qmp.execute("screendump", { filename, format: "png" });
    return (await readFile(join(folder, "screen.png"))).toString("base64");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function guestExec(vm: Vm, command: string[], timeoutMs = execMsMax) {
  const agent = await vm.agent();
  const { clock } = vm.options;
  const [path, ...arg] = command;
  const { pid } = await agent.execute("guest-exec", { path, arg, "capture-output": true });
  const giveUpAt = clock.monotonic() + timeoutMs;
  for (;;) {
    const status = await agent.execute("guest-exec-status", { pid });
    if (status.exited) {
      const decoded = (data?: string) => Buffer.from(data ?? "", "base64").toString();
      return {
        exitCode: status.exitcode ?? 128 + (status.signal ?? 0),
        stdout: decoded(status["out-data"]),
        stderr: decoded(status["err-data"]),
      };
    }
    if (clock.monotonic() > giveUpAt) {
      throw new StatusError("Timeout", `a command in the guest took over ${timeoutMs} ms`);
    }
    await sleep(clock, execPollMs);
  }
}

async function guestInfo(vm: Vm) {
  const agent = await vm.agent();
  const ask = (command: string) => agent.execute(command).catch(() => undefined);
  return guestAgentInfo({
    info: await agent.execute("guest-info"),
    os: await ask("guest-get-osinfo"),
    hostname: await ask("guest-get-host-name"),
    timezone: await ask("guest-get-timezone"),
    users: await ask("guest-get-users"),
    filesystems: await ask("guest-get-fsinfo"),
  });
}

async function freeze(vm: Vm, seconds: number) {
  const agent = await vm.agent();
  await agent.execute("guest-fsfreeze-freeze", undefined, 30_000);
  vm.frozen = true;
  vm.options.changed();
  vm.options.clock.after(seconds * 1000, () => {
    if (vm.frozen) void thaw(vm).catch(() => {});
  });
}

async function thaw(vm: Vm) {
  const agent = await vm.agent();
  await agent.execute("guest-fsfreeze-thaw", undefined, 30_000);
  vm.frozen = false;
  vm.options.changed();
}

async function softReboot(vm: Vm) {
  if (vm.status !== "running") throw new StatusError("Conflict", "VMI is paused");
  vm.rebootAsked = true;
  if (vm.agentConnected) return (await vm.agent()).tell("guest-shutdown", { mode: "reboot" });
  if (!vm.domain.acpi) {
    throw new StatusError(
      "Conflict",
      "VMI neither have the agent connected nor the ACPI feature enabled",
    );
  }
  // A guest that obeys the power button ends; it is begun again where it stands.
  await vm.qmp.execute("set-action", { shutdown: "pause" });
  const stop = vm.onEvent(({ event }) => {
    if (event !== "SHUTDOWN") return;
    stop();
    void (async () => {
      await vm.qmp.execute("set-action", { shutdown: "poweroff" });
      await vm.qmp.execute("system_reset");
      await vm.qmp.execute("cont");
    })().catch(() => {});
  });
  await vm.qmp.execute("system_powerdown");
}

const held = (vm: Vm) =>
  new StatusError("Conflict", `VMI ${vm.domain.name} waits for its replicated disks`);

async function powerDown(vm: Vm) {
  if (isHeld(vm)) throw held(vm);
  if (vm.status === "paused" || vm.status === "prelaunch") await vm.qmp.execute("cont");
  if (vm.domain.acpi) return vm.qmp.execute("system_powerdown");
  if (vm.agentConnected) return (await vm.agent()).tell("guest-shutdown", { mode: "powerdown" });
}

/** One that was started paused has not begun. */
const isPaused = (vm: Vm) =>
  vm.status === "paused" || (vm.status === "prelaunch" && vm.domain.startPaused && !isHeld(vm));

/** Resolves once the monitor has said that it is so. */
async function pause(vm: Vm) {
  if (isPaused(vm)) throw new StatusError("Conflict", "VMI is already paused");
  await vm.qmp.execute("stop");
  vm.status = "paused";
  vm.options.changed();
}

async function unpause(vm: Vm) {
  if (isHeld(vm)) throw held(vm);
  if (vm.status === "running") throw new StatusError("Conflict", "VMI is not paused");
  await vm.qmp.execute("cont");
  vm.status = "running";
}

const ask = async <T>(vm: Vm, command: string, shape: (answer: any) => T): Promise<T> =>
  shape(await (await vm.agent()).execute(command));

type Asked = Omit<VmControl, "openConsole" | "openVnc" | "openUsb" | "openUdp" | "screenshot"> & {
  screenshot: () => Promise<string>;
};

/** Every method answers in JSON. */
export function vmAnswers(vm: Vm, { volumes }: ControlOptions): Asked {
  return {
    state: async () => ({
      status: vm.status,
      paused: isPaused(vm),
      agent: vm.agentConnected,
    }),
    pause: () => pause(vm),
    unpause: () => unpause(vm),
    softReboot: () => softReboot(vm),
    reset: () => {
      vm.rebootAsked = false;
      return vm.qmp.execute("system_reset");
    },
    powerDown: () => powerDown(vm),
    screenshot: () => screenshot(vm),
    addVolume: (disk, holder) => hotplug(vm, disk, { volumes, holder }),
    removeVolume: (volume) => hotunplug(vm, volume, volumes),
    resizeVolume: (volume, bytes) => resizeDisk(vm, volume, bytes),
    guestInfo: () => guestInfo(vm),
    users: () => ask(vm, "guest-get-users", guestUsers),
    filesystems: () => ask(vm, "guest-get-fsinfo", guestFilesystems),
    guestExec: (command) => guestExec(vm, command),
    guestPing: () => ask(vm, "guest-ping", () => {}),
    freeze: (seconds) => freeze(vm, seconds),
    thaw: () => thaw(vm),
    backup: (names, to) => {
      const quiesce = { freeze: () => freeze(vm, frozenSecondsMax), thaw: () => thaw(vm) };
      const still = vm.agentConnected && !vm.frozen && { quiesce };
      return backupDisks(vm, names, { volumes, to, ...still });
    },
    dumpMemory: (name, to) => dumpMemory(vm, name, { volumes, to }),
    viewCopies: (volume, hosts) => view(vm, volume, hosts),
    attachCopy: (volume, target) => attach(vm, volume, target),
    detachCopies: (volume, nodes) => detach(vm, volume, nodes),
    hasArrived: () => hasArrived(vm),
    release: () => release(vm),
    prepareMigration: (copy, postCopy) => prepare(vm, copy, postCopy),
    recoverMigration: () => recover(vm),
    migrate: (target, options) => migration.migrate(vm, target, options),
    migration: (known) => migration.progress(vm, known),
    resumeMigration: () => migration.resume(vm),
    cancelMigration: () => migration.cancel(vm),
  };
}

export async function openStream(
  vm: Vm,
  { method, args = [] }: { method: string; args?: unknown[] },
  { streams }: ControlOptions,
): Promise<Duplex> {
  const dial = (name: string) => dialIn(vm.options.run, name);
  const open = (name: string) => streams.open(vm, name, () => dial(name));
  if (method === "openConsole") {
    if (!vm.domain.serialConsole) throw badRequest("No serial consoles are present.");
    return open(socketNames.console);
  }
  if (method === "openVnc") {
    if (!vm.domain.graphics) throw badRequest("No graphics devices are present.");
    return open(socketNames.vnc);
  }
  if (method === "openUsb") {
    if (!vm.domain.usbSlots) throw badRequest("Not configured with USB Redirection");
    return streams.openFree(vm, usbSlots, dial);
  }
  if (method === "openUdp") {
    const [address] = vm.addresses;
    if (!address) throw new StatusError("Conflict", "the guest has no address yet");
    return openUdp(address, Number(args[0]));
  }
  throw new StatusError("NotFound", `no stream ${method}`);
}
