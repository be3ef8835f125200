// `kerb update FILE`: stages a release for the running site and watches the site become it.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { json } from "node:stream/consumers";
import type { UpdateOptions } from "../../cli/update.ts";
import { releaseArchivePath } from "../../hub/names.ts";
import { askSiteIn } from "../commands/ask-site.ts";
import { findRunning } from "../run-file.ts";
import { untilProven } from "../site/until-proven.ts";
import { offerArchive } from "./archives.ts";
import { sha256Of, stageRelease } from "./stage.ts";
import { releasesFolder } from "./state.ts";
import type { Release } from "./state.ts";
import { releasePath, switchPath } from "./switch.ts";
import type { ReleaseReport } from "./switch.ts";
import { readSettings } from "../site/site-settings.ts";
import { updateNode } from "./node.ts";

/** Of a release that was staged before. */
export function stagedRelease(directory: string, version: string): Release | undefined {
  const root = join(releasesFolder(directory), version, "package");
  return /^[0-9A-Za-z.-]+$/.test(version) && existsSync(root) ? { version, root } : undefined;
}

export async function updateSite(file: string, options: UpdateOptions): Promise<string> {
  const directory = resolve(options.dataDir);
  if (options.offer) {
    const sha256 = await offerArchive(directory, resolve(file));
    return `url: ${releaseArchivePath}?sha256=${sha256}\nsha256: ${sha256}`;
  }
  const running = findRunning(directory);
  if (!running) {
    throw new Error(`no site runs on ${directory}; install the release with npm and start that`);
  }
  const digest = await sha256Of(file);
  if (options.sha256 && options.sha256 !== digest) {
    throw new Error(`${file} is sha256 ${digest}, not ${options.sha256}`);
  }
  const ask = async (method: string, path: string) =>
    (await json(await askSiteIn(directory, method, path))) as ReleaseReport;
  const release = await stageRelease(directory, resolve(file));
  if (readSettings(directory)?.server !== undefined) {
    return updateNode(directory, release, running.pid);
  }
  const { version } = release;
  await ask("POST", `${switchPath}?version=${version}`);
  const look = async () => {
    const report = await ask("GET", releasePath).catch(() => undefined);
    return report?.trying ? undefined : report;
  };
  const report = await untilProven(look, `the site does not answer; see ${directory}/kerb.log`);
  if (report.failed?.version === version) {
    throw new Error(`${report.failed.message}; ${report.version} runs again`);
  }
  return `Kerb ${version} runs the site.`;
}
