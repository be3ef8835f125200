// Refuses, by name and before anything starts, what the runner cannot run. Pure.
import { ModuleError, pageBytes, sectionsOf } from "./module-sections.ts";
import type { ModuleSections } from "./module-sections.ts";
import { experimentalHttpNames } from "./experimental-http/names.ts";
import { preview1Names } from "./wasi-preview1/names.ts";

const functionKind = 0;
export const httpModule = "wasi_experimental_http";

/** What modules may import, by the name of the module that has it. */
const provided: Record<string, ReadonlySet<string>> = {
  wasi_snapshot_preview1: preview1Names,
  [httpModule]: experimentalHttpNames,
};

const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;

function checkImports({ imports }: ModuleSections) {
  for (const { module, name, kind } of imports) {
    if (kind === functionKind && provided[module]?.has(name)) continue;
    if (module === "wasi_unstable") {
      throw new ModuleError(
        "imports wasi_unstable, which came before WASI preview 1; build it anew",
      );
    }
    throw new ModuleError(`imports ${module}.${name}, which is not provided here`);
  }
}

function checkMemories({ memories }: ModuleSections, memoryBytes: number | undefined) {
  for (const { minPages, is64 } of memories) {
    if (is64) throw new ModuleError("has a 64-bit memory (memory64), which is not supported");
    const least = minPages * pageBytes;
    if (memoryBytes !== undefined && least > memoryBytes) {
      throw new ModuleError(
        `needs ${mebibytes(least)} of memory at its start, and its limit is ${mebibytes(memoryBytes)}`,
      );
    }
  }
}

/** Of a component's own modules only their memories can be wrong: the rest is the transpiler's. */
export function checkCoreMemory(bytes: Uint8Array, memoryBytes: number | undefined) {
  checkMemories(sectionsOf(bytes), memoryBytes);
}

/** Throws a ModuleError, whose text goes on after the module's name. */
export function checkModule(bytes: Uint8Array, memoryBytes?: number): ModuleSections {
  const sections = sectionsOf(bytes);
  checkImports(sections);
  checkMemories(sections, memoryBytes);
  if (!sections.exports.some(({ name, kind }) => name === "_start" && kind === functionKind)) {
    throw new ModuleError("exports no function _start, so it is a library and no program");
  }
  return sections;
}
