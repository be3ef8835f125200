// `kerb handler`: one discovery handler for an agent that is there already.
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import type { HandlerOptions } from "../../cli/handler.ts";
import { ownHandlers } from "../../devices/discovery/own-handlers.ts";
import { serveHandler } from "../../devices/discovery/serve-handler.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/random.ts";
import { runCommand } from "../../lib/run-command.ts";
import { Scope } from "../../lib/scope.ts";
import { logLevel } from "../config.ts";
import { machinePaths } from "../wings/devices.ts";
import { outputLog } from "../pino-log.ts";

export async function serveOne(name: string, options: HandlerOptions): Promise<number> {
  const handler = ownHandlers.find((one) => one.name === name);
  if (!handler) {
    const known = ownHandlers.map((one) => one.name).join(", ");
    throw new Error(`there is no handler ${name}; there are: ${known}`);
  }
  const scope = new Scope();
  const world = {
    clock: systemClock,
    random: systemRandom,
    log: outputLog(logLevel),
    // As Akri's container has it: debugEcho's switch lies there.
    directory: tmpdir(),
    paths: machinePaths,
    run: runCommand,
  };
  // Others reach its socket from folders of their own.
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true });
  const serving = serveHandler({ handler, ...options, directory, world, scope }, () =>
    console.log(`${name} is registered in ${directory}`),
  );
  const stopped = new Promise<void>((stop) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => stop());
  });
  await Promise.race([serving, stopped]);
  await scope.close();
  return 0;
}
