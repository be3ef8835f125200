// Runs a component inside its container: a command to its end, or a handler of requests until it is ended.
import { holdOpen, systemClock } from "../lib/clock.ts";
import { exported, loadComponent, readFacts } from "./component.ts";
import { httpSettings } from "./http-settings.ts";
import type { Program } from "./program.ts";
import { incomingHandler, serveHttp } from "./serve-http.ts";
import type { Preview2Options } from "./wasi-preview2/host.ts";

export const commandRun = "wasi:cli/run";
const portDefault = 8080;
const portMax = 65_535;

function portOf({ env }: Program): number {
  const port = Number(env["PORT"] ?? portDefault);
  if (Number.isInteger(port) && port > 0 && port <= portMax) return port;
  throw new Error(`PORT is ${JSON.stringify(env["PORT"])}, which is no port`);
}

/** Resolves when it ended well or serves. Throws traps. */
export async function runComponent(
  program: Program,
  options: Preview2Options,
  onTrap: (error: unknown) => void,
): Promise<void> {
  // While the guest waits, nothing else may keep this process.
  holdOpen();
  const folder = program.component!;
  const { exports } = readFacts(folder);
  const component = loadComponent(folder, { ...options, memoryBytes: program.memoryBytes });
  if (exports.includes(incomingHandler)) {
    const { memoryBytes, http = httpSettings() } = program;
    const port = portOf(program);
    serveHttp({ component, ...http, memoryBytes, port, clock: systemClock, onTrap });
    return;
  }
  const { run } = exported(component.instantiate().exports, commandRun);
  try {
    await run();
  } catch (error) {
    // The guest said that it failed.
    if ((error as object | undefined)?.constructor?.name === "ComponentError") options.exit(1);
    throw error;
  }
  options.exit(0);
}
