// What this Kerb can do to itself when its hub asks.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { KerbHost } from "../../hub/member/operations/host.ts";
import type { TakeBackup } from "../../hub/operations/site-backup.ts";
import { systemClock, timestamp } from "../../lib/clock.ts";
import type { SiteAuthority } from "./authority.ts";
import { backupSite } from "../backup/backup.ts";
import { fetchArchive } from "../releases/archives.ts";
import { stageRelease } from "../releases/stage.ts";
import { stagedRelease } from "../releases/update.ts";
import type { Switches } from "./switches.ts";

interface Parts {
  directory: string;
  authority: SiteAuthority;
  switches: Switches;
}

/** `site` is a member of this hub; absent for the site itself. */
async function backUp(directory: string, keep: number, site?: string): Promise<string> {
  const folder = join(directory, "backups", ...(site ? [site] : []));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = `${timestamp(systemClock.now()).replaceAll(":", "")}.backup`;
  const { objects } = await backupSite(join(folder, name), {
    dataDir: directory,
    ...(site && { site }),
  });
  const old = readdirSync(folder)
    .filter((one) => one.endsWith(".backup"))
    .sort()
    .slice(0, -keep);
  for (const one of old) rmSync(join(folder, one));
  return `${objects} objects in ${join("backups", site ?? "", name)}`;
}

/** A hub keeps backups of its sites beside its own. */
export const backupsOf =
  (directory: string): TakeBackup =>
  (site, keep) =>
    backUp(directory, keep, site);

export const kerbHost = ({
  directory,
  authority,
  switches: { releases, configuration },
}: Parts): KerbHost => ({
  configuration,
  releases: {
    report: () => releases.report(),
    async stage(release, hub) {
      const archive = await fetchArchive(directory, release, hub);
      const { version } = await stageRelease(directory, archive);
      if (version === release.version) return;
      throw new Error(`the archive is release ${version}, not ${release.version}`);
    },
    become(version) {
      const release = stagedRelease(directory, version);
      if (release) releases.request(release);
    },
  },
  authority: { phase: () => authority.state().phase, advance: () => authority.advance() },
  backup: (keep) => backUp(directory, keep),
});
