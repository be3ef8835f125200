import { Command, InvalidArgumentError } from "commander";
import { examples } from "./examples.ts";
import { addNodeOptions } from "./node-options.ts";
import type { NodeOptions } from "./node-options.ts";
import { tokenFileOption } from "./token.ts";
import { dataDirOption, parseSiteName } from "./up.ts";

export interface JoinOptions extends NodeOptions {
  dataDir: string;
  token?: string;
  tokenFile?: string;
  caHash?: string;
  name?: string;
  devices?: boolean;
  vms?: boolean;
}

/** `https://ADDRESS:PORT` from the command line. */
export function parseServer(text: string): string {
  if (URL.parse(text)?.protocol === "https:") return text;
  throw new InvalidArgumentError(
    "https://ADDRESS:PORT is needed; kerb token create prints the whole command there.",
  );
}

/** `kerb join`. `start` resolves with the exit code. */
export function joinCommand(
  directory: string,
  start: (server: string | undefined, options: JoinOptions) => Promise<number>,
) {
  const command = new Command("join")
    .summary("join this machine as a node to a site elsewhere")
    .description(
      "Joins a site with the command that `kerb token create` printed there. Every connection is opened " +
        "by this machine. Afterwards `kerb join` alone starts the node again.",
    )
    .argument("[server]", "https://ADDRESS:PORT of the site; needed the first time", parseServer)
    .addOption(dataDirOption(directory))
    .option("--token <token>", "join token; needed the first time")
    .addOption(tokenFileOption())
    .option("--ca-hash <hash>", "hash of the site's certificate authority; needed the first time")
    .option("--devices", "discover leaf devices on this machine; the site must run with --devices")
    .option("--vms", "run virtual machines on this machine; the site must run with --vms")
    .option("--name <node>", "name of the node (default: the host's)", parseSiteName)
    .addHelpText(
      "after",
      examples({
        "kerb join https://10.0.0.5:6443 --token … --ca-hash sha256:…":
          "as kerb token create printed it",
        "kerb join https://10.0.0.5:6443 --token-file - --ca-hash sha256:…":
          "the token by standard input, so that no list of processes and no shell's history has it",
        "kerb join": "every later start",
      }),
    )
    .action(async (server: string | undefined, options: JoinOptions) => {
      process.exitCode = await start(server, options);
    });
  return addNodeOptions(command);
}
