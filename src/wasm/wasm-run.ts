// The program of a WebAssembly container, inside it: runs a WASI preview 1 module with the container's own
// files, arguments and environment. A file of its own that imports nothing of Kerb, as it alone is mounted.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

/** Not among the types of a program without a browser. */
interface WebAssemblyNamespace {
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(module: object, imports: object): Promise<object>;
}
const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyNamespace };

/** As wasmtime: a trap is an abort. */
const trapExitCode = 134;
const terminatedExitCode = 143;

async function runModule(args: string[]): Promise<number> {
  const [path = ""] = args;
  const wasi = new WASI({
    version: "preview1",
    args,
    env: process.env,
    preopens: { "/": "/" },
    returnOnExit: true,
  });
  try {
    const module = await WebAssembly.compile(readFileSync(path));
    const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
    return wasi.start(instance);
  } catch (error) {
    process.stderr.write(`${path}: ${(error as Error).message}\n`);
    return trapExitCode;
  }
}

if (isMainThread) {
  // The module holds its thread to its end, so signals are heard on another one. The first process of a
  // container ignores a signal that it does not handle.
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => process.exit(terminatedExitCode));
  }
  const worker = new Worker(import.meta.filename, { workerData: process.argv.slice(2) });
  worker.on("message", (exitCode: number) => process.exit(exitCode));
  worker.on("error", (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(trapExitCode);
  });
} else {
  parentPort!.postMessage(await runModule(workerData));
}
