// The program of a WebAssembly container, inside it. The module has this thread to its end: a signal that
// nobody handles ends the process at once, whatever the module does. Argument: the program's file.
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { systemClock } from "../lib/clock.ts";
import { endOf, trapExitCode } from "./end.ts";
import type { Program } from "./program.ts";
import { WebAssembly } from "./web-assembly.ts";
import { preview1 } from "./wasi-preview1/host.ts";
import type { HostOptions } from "./wasi-preview1/guest.ts";
import type { Preview1 } from "./wasi-preview1/host.ts";

const stderr = 2;

/** The module's last words go where pods' statuses take them from. */
function giveUp({ terminationLog }: Program, message: string): never {
  writeSync(stderr, `${message}\n`);
  if (terminationLog !== undefined) {
    try {
      writeFileSync(terminationLog, message);
    } catch {
      // A full disk takes no last words.
    }
  }
  process.exit(trapExitCode);
}

/** Node's cryptography is a fifth of an idle module's memory, so it is loaded by those that use it. */
function hostOptions({ args, env, preopens }: Program): HostOptions {
  return {
    args,
    env,
    preopens,
    now: () => BigInt(systemClock.now()) * 1_000_000n,
    monotonic: () => process.hrtime.bigint(),
    random: (into) => void process.getBuiltinModule("node:crypto").randomFillSync(into),
    exit: (code) => process.exit(code),
  };
}

async function importsOf({ experimentalHttp }: Program, { imports, memory }: Preview1) {
  if (!experimentalHttp) return { wasi_snapshot_preview1: imports };
  const { experimentalHttpImports } = await import("./experimental-http/calls.ts");
  return {
    wasi_snapshot_preview1: imports,
    wasi_experimental_http: experimentalHttpImports(memory, experimentalHttp),
  };
}

async function runCore(program: Program) {
  let memory: { buffer: ArrayBuffer } = { buffer: new ArrayBuffer(0) };
  try {
    const host = preview1(hostOptions(program));
    const module = new WebAssembly.Module(readFileSync(program.module));
    const instance = new WebAssembly.Instance(module, await importsOf(program, host));
    memory = instance.exports["memory"] ?? memory;
    host.useMemory(memory);
    const start = instance.exports["_start"];
    // Whoever asks the network waits for it.
    if (program.experimentalHttp) await WebAssembly.promising(start)();
    else start();
  } catch (error) {
    const { module, memoryBytes } = program;
    giveUp(program, endOf(error, { module, usedBytes: memory.buffer.byteLength, memoryBytes }));
  }
  process.exit(0);
}

/** What trapped while it served is told and replaced. */
const tellTrap =
  ({ module }: Program) =>
  (error: unknown) =>
    writeSync(stderr, `${endOf(error, { module, usedBytes: 0 })}\n`);

async function run(program: Program) {
  if (program.component === undefined) return runCore(program);
  // Half of the runner is for components only.
  const { runComponent } = await import("./run-component.ts");
  const { module } = program;
  try {
    await runComponent(program, hostOptions(program), tellTrap(program));
  } catch (error) {
    giveUp(program, endOf(error, { module, usedBytes: 0 }));
  }
}

void run(JSON.parse(readFileSync(process.argv[2]!, "utf8")) as Program);
