import { Command } from "commander";
import { dataDirOption, parseSiteName } from "./up.ts";

export interface AttachOptions {
  dataDir: string;
  token: string;
  caHash: string;
  name?: string;
}

/** `kerb attach`. */
export function attachCommand(
  directory: string,
  attach: (hub: string, options: AttachOptions) => Promise<void>,
) {
  return new Command("attach")
    .summary("make this site a member of a hub")
    .description(
      "Attaches the running site to a hub with the command that `kerb token create --site` printed\n" +
        "there. The site opens every connection itself and goes on alone whenever the hub is away.",
    )
    .argument("<hub>", "https://ADDRESS:PORT of the hub")
    .addOption(dataDirOption(directory))
    .requiredOption("--token <token>", "introduces this site")
    .requiredOption("--ca-hash <hash>", "by which the hub's authority is known")
    .option("--name <site>", "the site's name at the hub (default: its own)", parseSiteName)
    .action(attach);
}
