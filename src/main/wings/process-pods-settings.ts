// What pods of modules need of their site: known before what runs them is loaded.
import { join } from "node:path";
import type { PodNetworksOptions } from "../../containers/pod-networks.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";

/** Of the site's folder. */
export const processPodsDirectory = (directory: string) => join(directory, "wasm/pods");

export const modulesDirectory = (directory: string) => join(directory, "wasm/modules");

export interface ProcessPodsSettings {
  /** The site's. */
  directory: string;
  components: string;
  /** The folder of machines. */
  machines: string;
  network: PodNetworksOptions;
  clock: Clock;
  log: Log;
}
