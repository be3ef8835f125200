// systemd's word that the machine is about to go down, and the delay that it grants (systemd-logind's inhibitor
// locks). Its own programs speak to it: one holds the lock while it runs, one tells of the signal.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { runCommand } from "../../lib/run-command.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";

export interface Shutdowns {
  /** Calls back when the machine is about to go down, and again with false when it stays up after all. */
  follow(listener: (isComing: boolean) => void): void;
  /** Lets it go down now. */
  release(): void;
}

const settings = "/run/systemd/logind.conf.d/99-kerb.conf";
const match =
  "type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'";

/** What a line of `busctl monitor --json=short` says; undefined for other messages. Pure. */
export function shutdownIn(line: string): boolean | undefined {
  try {
    const { member, payload } = JSON.parse(line);
    const [isComing] = member === "PrepareForShutdown" ? payload.data : [];
    return typeof isComing === "boolean" ? isComing : undefined;
  } catch {
    return undefined;
  }
}

/** systemd grants five seconds unless it is told otherwise; what lies in /run is gone with the next start. */
async function allowDelay(ms: number) {
  await mkdir("/run/systemd/logind.conf.d", { recursive: true });
  await writeFile(settings, `[Login]\nInhibitDelayMaxSec=${Math.ceil(ms / 1000)}\n`);
  await runCommand("systemctl", ["kill", "--signal=HUP", "systemd-logind"]);
}

/** Undefined where systemd does not run. */
export async function openLogind(
  delayMs: number,
  { log, scope }: { log: Log; scope: Scope },
): Promise<Shutdowns | undefined> {
  if (!existsSync("/run/systemd/system")) return undefined;
  await allowDelay(delayMs);
  const start = (command: string, args: string[]) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    child.on("error", (error) => log.warn("shutdowns are not heard of", { error: String(error) }));
    scope.defer(() => void child.kill());
    return child;
  };
  const why = "--why=pods end in their order";
  const hold = (): ChildProcess =>
    start("systemd-inhibit", [
      ...["--what=shutdown", "--mode=delay", "--who=kerb", why],
      ...["sleep", "infinity"],
    ]);
  let lock = hold();
  const monitor = start("busctl", ["monitor", "--json=short", "--match", match]);
  return {
    follow: (listener) => {
      createInterface({ input: monitor.stdout! }).on("line", (line) => {
        const isComing = shutdownIn(line);
        if (isComing === undefined) return;
        if (!isComing && lock.killed) lock = hold();
        listener(isComing);
      });
    },
    release: () => void lock.kill(),
  };
}
