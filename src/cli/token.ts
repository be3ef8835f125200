import { Command, InvalidArgumentError, Option } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption, parseSiteName } from "./up.ts";

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `24h`, `7d` in milliseconds. */
export function parseLife(text: string): number {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const ms = Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new InvalidArgumentError("a time is a number with s, m, h or d, as in 24h.");
}

export interface TokenOptions {
  dataDir: string;
  /** How long it is valid, milliseconds. */
  ttl: number;
  /** Lets a site in instead of a node; a name accepts that very site, `true` none yet. */
  site?: string | true;
  /** Of a hub that is no Kerb's own site. */
  kubeconfig?: string;
  asKubeconfig?: boolean;
}

export interface CreatedToken {
  /** For the other machine, or site. */
  command: string;
  /** As Open Cluster Management's agents are told of a hub. */
  kubeconfig: string;
  /** RFC 3339. */
  expires: string;
}

export interface TokenActions {
  create(options: TokenOptions): Promise<CreatedToken>;
}

/** For whoever uses a token: a command line is seen by all users of a machine. */
export const tokenFileOption = () =>
  new Option(
    "--token-file <file>",
    "read the token from a file, or from standard input (-); so does the variable KERB_TOKEN",
  ).conflicts("token");

/** `kerb token create`. */
export function tokenCommand(directory: string, actions: TokenActions) {
  const token = new Command("token")
    .summary("create tokens for machines that join, or sites that attach")
    .description(
      "With a token a machine joins this site as a node, or a site attaches to this hub.",
    );
  token
    .command("create")
    .summary("create a token and print the command that uses it")
    .description(
      "Creates a token and prints the command that joins a machine with it, or attaches a site to this " +
        "hub. This site must listen on an address that the other side can reach: kerb up --listen ADDRESS.",
    )
    .addOption(dataDirOption(directory))
    .addOption(
      new Option("--ttl <time>", "how long the token is valid")
        .argParser(parseLife)
        .default(parseLife("24h"), "24h"),
    )
    .option(
      "--site [name]",
      "for a site: accepted at once under this name, or, without one, after approval",
      parseSiteName,
    )
    .option("--as-kubeconfig", "with --site: print a bootstrap kubeconfig, not a command")
    .option(
      "--kubeconfig <file>",
      "with --site: the hub is this cluster, on which `kerb run --wings hub` runs",
    )
    .addHelpText(
      "after",
      examples({
        "kerb token create": "for a machine, valid for a day",
        "kerb token create --ttl 1h --site farm": "for one site, at a hub",
        "kerb token create --site farm --as-kubeconfig": "for an agent of Open Cluster Management",
      }),
    )
    .action(async (options: TokenOptions) => {
      const { site, asKubeconfig, kubeconfig } = options;
      if (site === undefined && (asKubeconfig || kubeconfig !== undefined)) {
        throw new Error("--as-kubeconfig and --kubeconfig are for sites: add --site");
      }
      const made = await actions.create(options);
      if (asKubeconfig || kubeconfig !== undefined)
        return void process.stdout.write(made.kubeconfig);
      const { command, expires } = made;
      const where = site === undefined ? "On the other machine" : "At the other site";
      console.log(`${where}, until ${expires}:\n\n  ${command}`);
      if (command.includes("//ADDRESS:")) {
        console.log(
          "\nThis site listens on no address but its own machine's; start it with --listen.",
        );
      }
    });
  return token;
}
