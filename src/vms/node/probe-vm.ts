// Probes of a guest that are asked of its agent: a command, or whether it is there at all. While the guest is not
// here (it arrives, or has left), or stands still because somebody paused it, it is not judged.
import type { PartProbe, PartVerdict } from "../../lib/node-connection.ts";
import { agentProbe } from "../domain.ts";
import type { Vm } from "./vm.ts";
import { guestExec } from "./vm-control.ts";

const outputCharactersMax = 10_240;

async function asked(vm: Vm, [, ...command]: string[], timeoutMs: number): Promise<PartVerdict> {
  if (command.length === 0) {
    await (await vm.agent()).execute("guest-ping", undefined, timeoutMs);
    return { ok: true, output: "" };
  }
  const { exitCode, stdout, stderr } = await guestExec(vm, command, timeoutMs);
  return { ok: exitCode === 0, output: (stdout + stderr).slice(0, outputCharactersMax).trimEnd() };
}

/** Undefined for a probe that is not the agent's. */
export function probeVm(
  vm: Vm,
  { command, timeoutMs }: PartProbe,
): Promise<PartVerdict> | undefined {
  if (vm.status === "inmigrate" || vm.status === "paused" || vm.migratedAway) {
    return Promise.resolve({ ok: true, output: "" });
  }
  if (command?.[0] !== agentProbe) return undefined;
  return asked(vm, command, timeoutMs).catch((error: Error) => {
    return { ok: false, output: error.message };
  });
}
