import { Command } from "commander";
import { examples } from "./examples.ts";
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
      "The site is no member of its hub any more, and says so there if the hub is reached. What works made " +
        "here stays and runs, until another hub's works take it over or somebody deletes it: " +
        "kubectl get appliedmanifestworks shows it.",
    )
    .addOption(dataDirOption(directory))
    .option("--kubeconfig <file>", "detach the cluster of this file instead")
    .option("--remove-works", "take back all that works made here")
    .addHelpText(
      "after",
      examples({
        "kerb detach": "what works made stays",
        "kerb detach --remove-works": "and is taken back",
      }),
    )
    .action(detach);
}
