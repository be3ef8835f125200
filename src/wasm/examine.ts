// A look at a module before it runs: what it asks for, and whether it can be run at all.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { checkComponent } from "./check-component.ts";
import { checkCoreMemory, checkModule, httpModule } from "./check-module.ts";
import { readFacts } from "./component.ts";
import { moduleKind } from "./module-kind.ts";

export interface Examined {
  network: boolean;
  /** Folder of what was made of a component. */
  component?: string;
}

export interface ExamineOptions {
  /** The folder of transpiled components. */
  cache: string;
  memoryBytes?: number | undefined;
}

function examineModule(bytes: Uint8Array, memoryBytes: number | undefined): Examined {
  const { imports } = checkModule(bytes, memoryBytes);
  return { network: imports.some(({ module }) => module === httpModule) };
}

async function examineComponent(
  bytes: Uint8Array,
  { cache, memoryBytes }: ExamineOptions,
): Promise<Examined> {
  // Not needed for modules, which start sooner without it.
  const { transpiled } = await import("./transpile.ts");
  const component = await transpiled(cache, bytes, systemClock.now() / 1000);
  for (const name of readdirSync(component)) {
    if (!name.endsWith(".wasm")) continue;
    checkCoreMemory(readFileSync(join(component, name)), memoryBytes);
  }
  return { component, ...checkComponent(readFacts(component)) };
}

/** `path` is the module's name to people. Rejects in words for a container's status. */
export async function examine(
  path: string,
  bytes: Uint8Array,
  options: ExamineOptions,
): Promise<Examined> {
  try {
    if (moduleKind(bytes) === "component") return await examineComponent(bytes, options);
    return examineModule(bytes, options.memoryBytes);
  } catch (error) {
    throw new Error(`${path} ${(error as Error).message}`, { cause: error });
  }
}
