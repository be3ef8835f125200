import { Command } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption } from "./up.ts";

/** One thing looked at on this machine. */
export interface Check {
  name: string;
  state: "ok" | "warning" | "missing";
  /** What was found, in plain words. */
  detail: string;
  /** What to do about it. */
  fix?: string;
}

const marks = { ok: "ok     ", warning: "warning", missing: "MISSING" } as const;

/** `kerb doctor`: exit code 1 when something that a site needs is missing. */
export function doctorCommand(directory: string, examine: (directory: string) => Promise<Check[]>) {
  return new Command("doctor")
    .summary("look at this machine and say what is missing")
    .description(
      "Looks at what a site needs of this machine and says what is missing and how to mend it. Exit code 1: something is missing.",
    )
    .addOption(dataDirOption(directory))
    .addHelpText(
      "after",
      examples({
        "kerb doctor": "each line is ok, a warning or missing, with its fix",
      }),
    )
    .action(async ({ dataDir }: { dataDir: string }) => {
      const checks = await examine(dataDir);
      const width = Math.max(...checks.map((check) => check.name.length));
      for (const check of checks) {
        console.log(`${marks[check.state]}  ${check.name.padEnd(width)}  ${check.detail}`);
        if (check.fix) console.log(`${" ".repeat(width + 11)}fix: ${check.fix}`);
      }
      if (checks.some((check) => check.state === "missing")) process.exitCode = 1;
    });
}
