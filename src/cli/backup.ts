import { Command } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption, parseSiteName } from "./up.ts";

export interface BackupOptions {
  dataDir: string;
  passphraseFile?: string;
  /** A member of the hub in `dataDir`. */
  site?: string;
}

export interface BackupReport {
  objects: number;
  encrypted: boolean;
}

/** `kerb backup`. */
export function backupCommand(
  directory: string,
  backup: (file: string, options: BackupOptions) => Promise<BackupReport>,
) {
  return new Command("backup")
    .summary("write all that a site knows into one file")
    .description(
      "Writes the site's objects as they stand at one moment, its certificates and keys, its name and " +
        "addresses into FILE, which only you may read. The site goes on meanwhile, or is stopped. " +
        "Whoever has the file has the site's Secrets and may speak for it: keep it safe, or encrypt it. " +
        "Not in it: images, what containers and volumes hold, leases, events, logs.",
    )
    .argument("<file>", "where to; replaced as a whole when the backup is complete")
    .addOption(dataDirOption(directory))
    .option("--passphrase-file <path>", "encrypt with the first line of this file")
    .option(
      "--site <name>",
      "at a hub: back up this member instead, over its tunnel",
      parseSiteName,
    )
    .addHelpText(
      "after",
      examples({
        "kerb backup shop.backup": "",
        "kerb backup shop.backup --passphrase-file /root/passphrase": "encrypted",
        "kerb backup farm.backup --site farm": "of a member, at its hub",
      }),
    )
    .action(async (file: string, options: BackupOptions) => {
      const { objects, encrypted } = await backup(file, options);
      const how = encrypted ? "encrypted" : "not encrypted, and readable by you only";
      console.log(`${objects} objects, certificates and keys are in ${file} (${how}).`);
    });
}
