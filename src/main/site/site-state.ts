import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SiteState } from "../../cli/status.ts";
import { httpsClient } from "../../client/https.ts";
import { parseKubeconfig } from "../../client/kubeconfig.ts";
import { findRunning } from "../run-file.ts";
import { readSettings } from "./site-settings.ts";

/** Pages times 4 KiB of /proc/PID/statm. */
function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;
}

/** The site of `directory`, for `kerb status`. */
export async function siteState(directory: string): Promise<SiteState> {
  const settings = readSettings(directory);
  if (!settings)
    throw new Error(
      `there is no site in ${directory}; make one with: kerb up --data-dir ${directory}`,
    );
  const running = findRunning(directory);
  const kubeconfig = join(directory, "kubeconfig");
  return {
    name: settings.name,
    server: `https://127.0.0.1:${running?.port ?? settings.port}`,
    kubeconfig,
    ...(running && { pid: running.pid, residentBytes: residentBytes(running.pid) }),
    client: async () => httpsClient(parseKubeconfig(readFileSync(kubeconfig, "utf8"))),
  };
}
