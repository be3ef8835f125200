import { Command, InvalidArgumentError } from "commander";
import { dataDirOption, parseSiteName } from "./up.ts";

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `24h`, `7d` in milliseconds. */
export function parseLife(text: string): number {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const ms = Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new InvalidArgumentError("a time is a number with s, m, h or d, as in 24h.");
}

export interface TokenActions {
  create(
    directory: string,
    choice: { lifeMs: number; site?: string | true },
  ): Promise<{ command: string; expires: string }>;
}

interface CreateOptions {
  dataDir: string;
  ttl: number;
  site?: string | true;
}

/** `kerb token create`. */
export function tokenCommand(directory: string, actions: TokenActions) {
  const token = new Command("token").summary("let further machines in as nodes, or sites");
  token
    .command("create")
    .description(
      "Makes a token and prints the command that joins a machine with it, or attaches a site to this\n" +
        "hub. This site must listen on an address that the other reaches: kerb up --listen ADDRESS.",
    )
    .addOption(dataDirOption(directory))
    .option("--ttl <time>", "how long it lets machines in", parseLife, parseLife("24h"))
    .option(
      "--site [name]",
      "for a site: one that is accepted by this name, or any that then waits",
    )
    .action(async ({ dataDir, ttl, site }: CreateOptions) => {
      if (typeof site === "string") parseSiteName(site);
      const choice = { lifeMs: ttl, ...(site !== undefined && { site }) };
      const { command, expires } = await actions.create(dataDir, choice);
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
