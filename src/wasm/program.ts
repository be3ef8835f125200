// What the runner is told, as a file or by a pipe: which module, with what.
import type { HttpLimits } from "./experimental-http/limits.ts";
import type { HttpSettings } from "./http-settings.ts";
import type { Preopen } from "./wasi-preview1/guest.ts";

export interface Program {
  /** Its name to people, a path in its image. */
  module: string;
  /** Where the core module's bytes lie; absent: at `module`. */
  file?: string;
  /** What came of the component at `module`; absent for core modules. */
  component?: string;
  args: string[];
  env: Record<string, string>;
  preopens: Preopen[];
  /** Where its output goes, as lines of a container's log; absent: to the process's own. */
  log?: string;
  /** V8's, set before anything is compiled. */
  flags?: string[];
  /** Where the reason of an end goes. */
  terminationLog?: string;
  memoryBytes?: number;
  /** Of a component that handles requests. */
  http?: HttpSettings;
  /** For wasi_experimental_http. */
  experimentalHttp?: HttpLimits;
}
