import { Command } from "commander";
import { dataDirOption } from "./up.ts";

export interface DownOptions {
  dataDir: string;
  keepWorkloads?: boolean;
}

/** `kerb down`. `stop` resolves with the exit code. */
export function downCommand(directory: string, stop: (options: DownOptions) => Promise<number>) {
  return new Command("down")
    .summary("stop this machine's site")
    .description(
      "Stops the site and its workloads. What is stored stays: `kerb up` brings everything back.",
    )
    .addOption(dataDirOption(directory))
    .option("--keep-workloads", "stop Kerb only and leave containers running")
    .action(async (options: DownOptions) => {
      process.exitCode = await stop(options);
    });
}
