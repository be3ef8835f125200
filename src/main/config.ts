// The only reader of the environment and the one place for defaults.
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Kerb's own version; "dev" when run from sources. */
export const kerbVersion = process.env.KERB_VERSION ?? "dev";

/** The Kubernetes level of the API that Kerb serves. */
export const kubernetesVersion = "v1.36.0";

/** Whether a service manager starts it again when it ends. */
export const hasManager = process.env["INVOCATION_ID"] !== undefined;

export const isRoot = process.getuid?.() === 0;

/** Where a site lives when nobody says: DIR of the manual. */
export function defaultDataDirectory(): string {
  const asked = process.env["KERB_DATA_DIR"];
  if (asked) return resolve(asked);
  return isRoot ? "/var/lib/kerb" : join(homedir(), ".kerb");
}

export const logLevel = process.env["KERB_LOG_LEVEL"] ?? "info";

export const defaultPort = 6443;
export const clusterDomain = "cluster.local";

/** A token that no command line shows. */
export const tokenVariable = process.env["KERB_TOKEN"];
delete process.env["KERB_TOKEN"];

/** Where tools are looked for. */
export const searchPath = process.env["PATH"] ?? "";

/** The zone that this process was told to have. */
export const zoneVariable = process.env["TZ"];

/** One link per site on this machine; see site-settings.ts. */
export const slotsDirectory = "/var/lib/kerb-sites";
