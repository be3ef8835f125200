import { Command } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption } from "./up.ts";

export interface RestoreOptions {
  dataDir: string;
  passphraseFile?: string;
}

export interface RestoreReport {
  site: string;
  created: string;
  objects: number;
}

/** `kerb restore`. */
export function restoreCommand(
  directory: string,
  restore: (file: string, options: RestoreOptions) => Promise<RestoreReport>,
) {
  return new Command("restore")
    .summary("restore a site from a backup")
    .description(
      "Restores a site into an empty data directory; `kerb up` then starts it. The whole file is " +
        "verified first. Only one of the two may run: the restored site is the same site.",
    )
    .argument("<file>", "what `kerb backup` wrote")
    .addOption(dataDirOption(directory))
    .option("--passphrase-file <path>", "the passphrase is the first line of this file")
    .addHelpText(
      "after",
      examples({
        "kerb restore shop.backup --data-dir /srv/shop": "then: kerb up --data-dir /srv/shop",
      }),
    )
    .action(async (file: string, options: RestoreOptions) => {
      const { site, created, objects } = await restore(file, options);
      console.log(`Site ${site} is restored as of ${created}: ${objects} objects.`);
      console.log(`Start it: kerb up --data-dir ${options.dataDir}`);
    });
}
