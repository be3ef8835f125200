import { Command } from "commander";
import { dataDirOption } from "./up.ts";

export interface DetachOptions {
  dataDir: string;
  kubeconfig?: string;
  removeWorks?: boolean;
}

/** `kerb detach`. */
export function detachCommand(
  directory: string,
  detach: (options: DetachOptions) => Promise<void>,
) {
  return new Command("detach")
    .summary("leave the hub")
    .description(
      "The site is no member of its hub any more, and says so there if the hub is reached. What works made\n" +
        "here stays and runs, until another hub's works take it over or somebody deletes it:\n" +
        "kubectl get appliedmanifestworks shows it.",
    )
    .addOption(dataDirOption(directory))
    .option("--kubeconfig <file>", "detach the cluster of this file instead")
    .option("--remove-works", "take back all that works made here")
    .action(detach);
}
