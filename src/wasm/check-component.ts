// Refuses components that cannot run here, by name and before anything starts. Pure.
import type { ComponentFacts } from "./component.ts";
import { ModuleError } from "./module-sections.ts";
import { needsNetwork, preview2Interfaces } from "./wasi-preview2/interfaces.ts";

const runnable = ["wasi:cli/run", "wasi:http/incoming-handler"];

/** Throws a ModuleError, whose text goes on after the component's name. */
export function checkComponent({ imports, exports }: ComponentFacts): { network: boolean } {
  for (const name of imports) {
    if (preview2Interfaces.has(name)) continue;
    throw new ModuleError(`imports ${name}, which is not provided here`);
  }
  if (!exports.some((name) => runnable.includes(name))) {
    throw new ModuleError(
      `exports neither ${runnable.join(" nor ")}, so it is a library and no program`,
    );
  }
  return { network: [...imports, ...exports].some(needsNetwork) };
}
