import { Command, InvalidArgumentError } from "commander";
import { dataDirOption } from "./up.ts";

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `24h`, `7d` in milliseconds. */
export function parseLife(text: string): number {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const ms = Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new InvalidArgumentError("a time is a number with s, m, h or d, as in 24h.");
}

export interface TokenActions {
  create(directory: string, lifeMs: number): Promise<{ command: string; expires: string }>;
}

/** `kerb token create`. */
export function tokenCommand(directory: string, actions: TokenActions) {
  const token = new Command("token").summary("let further machines in as nodes");
  token
    .command("create")
    .description(
      "Makes a token and prints the command that joins a machine with it. The site must listen on an\n" +
        "address that the machine reaches: kerb up --listen ADDRESS.",
    )
    .addOption(dataDirOption(directory))
    .option("--ttl <time>", "how long it lets machines in", parseLife, parseLife("24h"))
    .action(async ({ dataDir, ttl }: { dataDir: string; ttl: number }) => {
      const { command, expires } = await actions.create(dataDir, ttl);
      console.log(`On the other machine, until ${expires}:\n\n  ${command}`);
      if (command.includes("//ADDRESS:")) {
        console.log(
          "\nThis site listens on no address but its own machine's; start it with --listen.",
        );
      }
    });
  return token;
}
