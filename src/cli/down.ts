import { Command, InvalidArgumentError } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption } from "./up.ts";

export interface DownOptions {
  dataDir: string;
  keepWorkloads?: boolean;
  /** Seconds; absent: each pod's own terminationGracePeriodSeconds. */
  gracePeriod?: number;
}

function seconds(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("must be a whole number of seconds");
  return Number(text);
}

/** `kerb down`. `stop` resolves with the exit code. */
export function downCommand(directory: string, stop: (options: DownOptions) => Promise<number>) {
  return new Command("down")
    .summary("stop this machine's site")
    .description(
      "Stops the site and its workloads. Stored data is kept: `kerb up` starts everything again.",
    )
    .addOption(dataDirOption(directory))
    .option("--keep-workloads", "stop Kerb only and leave containers running")
    .option(
      "--grace-period <seconds>",
      "how long containers may take to stop (default: their pods' grace period)",
      seconds,
    )
    .addHelpText(
      "after",
      examples({
        "kerb down": "workloads stop within their own grace periods",
        "kerb down --keep-workloads": "stop Kerb only; the next kerb up adopts the containers",
        "kerb down --grace-period 5": "no container takes longer than five seconds",
      }),
    )
    .action(async (options: DownOptions) => {
      process.exitCode = await stop(options);
    });
}
