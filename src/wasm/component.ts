// A component as jco made it into JavaScript and core modules: what it is, and an instance of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createRequire } from "node:module";
import { withMemoryLimit } from "./memory-limit.ts";
import type { Preview2Options } from "./wasi-preview2/host.ts";
import { preview2 } from "./wasi-preview2/host.ts";
import { suspending } from "./wasi-preview2/suspension.ts";
import { suspensionImport } from "./wasi-preview2/waiting-calls.ts";
import { WebAssembly } from "./web-assembly.ts";

/** Beside the JavaScript, from when it was made. */
export interface ComponentFacts {
  /** By interface, without versions. */
  imports: string[];
  exports: string[];
}

export const factsFile = "facts.json";
export const scriptFile = "component.cjs";

/** `wasi:cli/run@0.2.0` without its version. */
export const withoutVersion = (name: string) => name.split("@")[0]!;

export const readFacts = (folder: string): ComponentFacts =>
  JSON.parse(readFileSync(join(folder, factsFile), "utf8"));

type Exports = Record<string, any>;

export interface ComponentInstance {
  exports: Exports;
  /** Of its memories, as they are now. */
  memoryBytes: () => number;
}

export interface Component {
  instantiate(): ComponentInstance;
}

export interface ComponentOptions extends Preview2Options {
  /** What each of its memories may grow to. */
  memoryBytes?: number | undefined;
}

/** Compiles each core module once. */
export function loadComponent(folder: string, options: ComponentOptions): Component {
  const file = join(folder, scriptFile);
  const script = createRequire(file)(file);
  const modules = new Map<string, object>();
  const coreModule = (name: string) => {
    const known = modules.get(name);
    if (known) return known;
    const module = new WebAssembly.Module(
      withMemoryLimit(readFileSync(join(folder, name)), options.memoryBytes),
    );
    modules.set(name, module);
    return module;
  };
  const imports = { ...preview2(options), [suspensionImport]: { suspending } };
  return {
    instantiate() {
      const memories = new Set<{ buffer: ArrayBuffer }>();
      const core = (module: object, given?: object) => {
        const made = new WebAssembly.Instance(module, given);
        for (const one of Object.values(made.exports)) {
          if (one instanceof WebAssembly.Memory) memories.add(one);
        }
        return made;
      };
      const exports = script.instantiate(coreModule, imports, core);
      const memoryBytes = () =>
        [...memories].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
      return { exports, memoryBytes };
    },
  };
}

/** The export of an interface, whatever its version. */
export function exported(exports: Exports, interfaceName: string): any {
  const name = Object.keys(exports).find((one) => withoutVersion(one) === interfaceName);
  return name === undefined ? undefined : exports[name];
}
