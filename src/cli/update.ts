import { Command, InvalidArgumentError } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption } from "./up.ts";

export interface UpdateOptions {
  dataDir: string;
  sha256?: string;
  offer?: boolean;
}

function parseDigest(text: string): string {
  const digest = text.replace(/^sha256:/, "").toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new InvalidArgumentError("64 hexadecimal digits are needed.");
}

/** `kerb update`. */
export function updateCommand(
  directory: string,
  update: (file: string, options: UpdateOptions) => Promise<string>,
) {
  return new Command("update")
    .summary("update the running site to another release of Kerb")
    .description(
      "Installs the release beside the running one and restarts the site with it; workloads keep running. " +
        "If the release exits or is not ready in time, the site rolls back by itself.",
    )
    .argument("<file>", "the release, as `npm pack` writes it")
    .addOption(dataDirOption(directory))
    .option("--sha256 <digest>", "refuse a file with another digest", parseDigest)
    .option("--offer", "at a hub: do not run it, but offer it to sites, and print how they get it")
    .addHelpText(
      "after",
      examples({
        "kerb update kerb-0.2.0.tgz": "as npm pack wrote it",
        "kerb update kerb-0.2.0.tgz --offer": "at a hub, for its sites",
      }),
    )
    .action(async (file: string, options: UpdateOptions) =>
      console.log(await update(file, options)),
    );
}

export interface WatchReleaseOptions {
  dataDir: string;
  pid: string;
  service?: boolean;
  configuration?: boolean;
}

/** `kerb watch-release`, which a site starts itself while it tries a release, or other options. */
export function watchReleaseCommand(
  directory: string,
  watch: (args: string[], options: WatchReleaseOptions) => Promise<number>,
) {
  return new Command("watch-release")
    .argument("[args...]", "of `kerb up`")
    .addOption(dataDirOption(directory))
    .requiredOption("--pid <n>", "the process that tries it")
    .option("--configuration", "what is tried are other options")
    .option("--service", "a service manager starts it again")
    .action(async (args: string[], options: WatchReleaseOptions) => {
      process.exitCode = await watch(args, options);
    });
}
