// The program of a WebAssembly container, inside it. The module has this thread to its end: a signal that
// nobody handles ends the process at once, whatever the module does. Argument: the program's file; or `--wait`, to be
// told of the program by descriptor 3, which may be long after this process is ready for it.
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { systemClock } from "../lib/clock.ts";
import { toldLine } from "../lib/told-line.ts";
import { endOf, trapExitCode } from "./end.ts";
import { ContainerLog, LogStream } from "./files/container-log.ts";
import { withMemoryLimit } from "./memory-limit.ts";
import type { Program } from "./program.ts";
import { WebAssembly } from "./web-assembly.ts";
import { preview1 } from "./wasi-preview1/host.ts";
import type { HostOptions } from "./wasi-preview1/guest.ts";
import type { Preview1 } from "./wasi-preview1/host.ts";

const stderr = 2;
/** From where a program is told to one that waits. To modules their output is a pipe, and so is this. */
const toldBy = 3;

let log: ContainerLog | undefined;

const say = (text: string) =>
  log ? log.write("stderr", Buffer.from(text)) : void writeSync(stderr, text);

function end(code: number): never {
  log?.flush();
  process.exit(code);
}

/** The module's last words go where pods' statuses take them from. */
function giveUp({ terminationLog }: Program, message: string): never {
  say(`${message}\n`);
  if (terminationLog !== undefined) {
    try {
      writeFileSync(terminationLog, message);
    } catch {
      // A full disk takes no last words.
    }
  }
  end(trapExitCode);
}

/** Where output goes, for those who write their container's log themselves. */
function outputOf({ log: path, component }: Program): Partial<HostOptions> {
  if (path === undefined) return {};
  const soon = (run: () => void) => void systemClock.after(0, run);
  const own = new ContainerLog({ path, now: systemClock.now, ...(component && { soon }) });
  log = own;
  return {
    output: (fd) => new LogStream(toldBy, own, fd === stderr ? "stderr" : "stdout"),
    beforeWait: () => own.flush(),
  };
}

/** Node's cryptography is a fifth of an idle module's memory, so it is loaded by those that use it. */
function hostOptions(program: Program): HostOptions {
  const { args, env, preopens } = program;
  return {
    args,
    env,
    preopens,
    now: () => BigInt(systemClock.now()) * 1_000_000n,
    monotonic: () => process.hrtime.bigint(),
    random: (into) => void process.getBuiltinModule("node:crypto").randomFillSync(into),
    exit: end,
    ...outputOf(program),
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
    const bytes = readFileSync(program.file ?? program.module);
    const module = new WebAssembly.Module(withMemoryLimit(bytes, program.memoryBytes));
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
  end(0);
}

/** What trapped while it served is told and replaced. */
const tellTrap =
  ({ module }: Program) =>
  (error: unknown) =>
    say(`${endOf(error, { module, usedBytes: 0 })}\n`);

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

/** A module that imports `w.f`, exports its memory, and whose `_start` calls `f`. */
const smallest = Buffer.from(
  [
    "0061736d01000000",
    "010401600000",
    "020701017701660000",
    "03020100",
    "0503010001",
    "071302065f73746172740001066d656d6f72790200",
    "0a0601040010000b",
  ].join(""),
  "hex",
);

/** Does for nobody what is done for every module, so that what V8 makes of it is there before it is waited for. */
function rehearse() {
  const program = { module: "", args: ["a"], env: { a: "b" }, preopens: [], log: "/dev/null" };
  const { imports: calls, useMemory } = preview1(hostOptions(program));
  const say = () => {
    const [at, length, line, text] = [0, 4, 8, 64];
    calls["args_sizes_get"]!(at, length);
    calls["args_get"]!(line, text);
    calls["environ_sizes_get"]!(at, length);
    calls["environ_get"]!(line, text);
    calls["fd_prestat_get"]!(toldBy, at);
    calls["fd_fdstat_get"]!(1, at);
    new DataView(memory.buffer).setUint32(line, text, true);
    new DataView(memory.buffer).setUint32(line + 4, 1, true);
    new Uint8Array(memory.buffer)[text] = 0x0a;
    calls["fd_write"]!(1, line, 1, at);
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(smallest), { w: { f: say } });
  const memory = exports["memory"];
  useMemory(memory);
  exports["_start"]();
  log = undefined;
}

async function wait(isNetworked: boolean) {
  if (isNetworked) {
    await import("./run-component.ts");
    const { rehearseHttp } = await import("./rehearse-http.ts");
    await rehearseHttp();
  }
  rehearse();
  const program = toldLine<Program>(toldBy);
  for (const flag of program.flags ?? [])
    process.getBuiltinModule("node:v8").setFlagsFromString(flag);
  await run(program);
}

const [, , word, kind] = process.argv;
if (word === "--wait") void wait(kind === "network");
else void run(JSON.parse(readFileSync(word!, "utf8")) as Program);
