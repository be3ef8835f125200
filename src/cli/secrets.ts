import { Command } from "commander";
import { formatTable } from "./table.ts";
import { dataDirOption } from "./up.ts";

export interface SecretsReport {
  keys: { id: string; created: string; secrets: number }[];
  plain: number;
}

export interface SecretsActions {
  state(directory: string): Promise<SecretsReport>;
  rotate(directory: string, tell: (line: string) => void): Promise<void>;
}

function printReport({ keys, plain }: SecretsReport) {
  const rows = keys.map(({ id, created, secrets }, i) => {
    return [id, i === 0 ? "encrypts" : "until rewritten", String(secrets), created];
  });
  if (plain > 0 || keys.length === 0) rows.push(["none", "not encrypted", String(plain), ""]);
  console.log(formatTable(["KEY", "USE", "SECRETS", "CREATED"], rows));
}

/** `kerb secrets status | rotate`. */
export function secretsCommand(directory: string, actions: SecretsActions) {
  const secrets = new Command("secrets").summary("how Secrets are encrypted on disk");
  secrets
    .command("status")
    .description("Shows the keys of the site and how many Secrets are under each.")
    .addOption(dataDirOption(directory))
    .action(async ({ dataDir }: { dataDir: string }) => printReport(await actions.state(dataDir)));
  secrets
    .command("rotate")
    .description(
      "Makes a new key and writes every Secret again with it; then the old key is gone.\n" +
        "Cut short, the site goes on at its next start. Watchers list anew once.",
    )
    .addOption(dataDirOption(directory))
    .action(({ dataDir }: { dataDir: string }) =>
      actions.rotate(dataDir, (line) => console.log(line)),
    );
  return secrets;
}
