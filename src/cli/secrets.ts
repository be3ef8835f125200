import { Command } from "commander";
import { examples } from "./examples.ts";
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
  const secrets = new Command("secrets")
    .summary("manage the keys that encrypt Secrets on disk")
    .description("Secrets are encrypted on disk by keys of the site's own.")
    .addHelpText(
      "after",
      examples({
        "kerb secrets status": "which keys, and for how many Secrets",
        "kerb secrets rotate": "a new key for all",
      }),
    );
  secrets
    .command("status")
    .summary("show the keys")
    .description("Shows the keys of the site and how many Secrets are under each.")
    .addOption(dataDirOption(directory))
    .action(async ({ dataDir }: { dataDir: string }) => printReport(await actions.state(dataDir)));
  secrets
    .command("rotate")
    .summary("create a new key and remove the old one")
    .description(
      "Creates a new key, encrypts every Secret with it and removes the old key. " +
        "If interrupted, the site resumes at its next start. Watches of Secrets are restarted once.",
    )
    .addOption(dataDirOption(directory))
    .action(({ dataDir }: { dataDir: string }) =>
      actions.rotate(dataDir, (line) => console.log(line)),
    );
  return secrets;
}
