// What the runner is told, as a file: which module, with what. Written before the container is made.
import type { HttpLimits } from "./experimental-http/limits.ts";
import type { HttpSettings } from "./http-settings.ts";
import type { Preopen } from "./wasi-preview1/guest.ts";

export interface Program {
  module: string;
  /** What came of the component at `module`; absent for core modules. */
  component?: string;
  args: string[];
  env: Record<string, string>;
  preopens: Preopen[];
  /** Where the reason of an end goes. */
  terminationLog?: string;
  memoryBytes?: number;
  /** Of a component that handles requests. */
  http?: HttpSettings;
  /** For wasi_experimental_http. */
  experimentalHttp?: HttpLimits;
}
