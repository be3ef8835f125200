import { Command } from "commander";
import { addNodeOptions } from "./node-options.ts";
import type { NodeOptions } from "./node-options.ts";
import { dataDirOption, parseSiteName } from "./up.ts";

export interface JoinOptions extends NodeOptions {
  dataDir: string;
  token?: string;
  caHash?: string;
  name?: string;
  devices?: boolean;
  vms?: boolean;
}

/** `kerb join`. `start` resolves with the exit code. */
export function joinCommand(
  directory: string,
  start: (server: string | undefined, options: JoinOptions) => Promise<number>,
) {
  const command = new Command("join")
    .summary("make this machine a node of a site elsewhere")
    .description(
      "Joins a site with the command that `kerb token create` printed there. All goes through\n" +
        "connections that this machine opens. Afterwards `kerb join` alone starts the node again.",
    )
    .argument("[server]", "https://ADDRESS:PORT of the site; needed the first time")
    .addOption(dataDirOption(directory))
    .option("--token <token>", "lets this machine in; needed the first time")
    .option("--ca-hash <hash>", "by which the site's authority is known; needed the first time")
    .option("--devices", "look for leaf devices here too; the site runs with --devices")
    .option("--vms", "run virtual machines here too; the site runs with --vms")
    .option("--name <node>", "name of the node (default: the host's)", parseSiteName)
    .action(async (server: string | undefined, options: JoinOptions) => {
      process.exitCode = await start(server, options);
    });
  return addNodeOptions(command);
}
