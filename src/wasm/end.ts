// How a module's run ended, in words that a person understands and an exit code. Pure.
import { WebAssembly } from "./web-assembly.ts";

/** As wasmtime: a trap is an abort. */
export const trapExitCode = 134;
/** From here on it is worth a word: who asks for more in one piece fails before all is used. */
const fullShare = 0.9;

interface Circumstances {
  module: string;
  /** Of the module's memory when it ended. */
  usedBytes: number;
  memoryBytes?: number | undefined;
}

const mebibytes = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;

export function endOf(error: unknown, { module, usedBytes, memoryBytes }: Circumstances): string {
  const { message } = error as Error;
  if (error instanceof WebAssembly.CompileError) {
    return `${module} is no valid module: ${message.replace(/^WebAssembly\.\w+\(\): /, "")}`;
  }
  if (error instanceof WebAssembly.LinkError) {
    return `${module} cannot be linked: ${message.replace(/^WebAssembly\.\w+\(\): /, "")}`;
  }
  if (error instanceof RangeError && /call stack/.test(message)) {
    return `${module} trapped: its call stack is exhausted`;
  }
  if (error instanceof WebAssembly.SuspendError) {
    return `${module} waits within a call from one of its components to another, which is not supported`;
  }
  if (!(error instanceof WebAssembly.RuntimeError)) return `${module} failed: ${message}`;
  const isFull = memoryBytes !== undefined && usedBytes > memoryBytes * fullShare;
  const why = isFull
    ? `; its memory had grown to ${mebibytes(usedBytes)}, and ${mebibytes(memoryBytes)} is its limit`
    : "";
  return `${module} trapped: ${message.replace(/^wasm trap: (wasm )?/, "")}${why}`;
}
