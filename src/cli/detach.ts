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
      "Ends the site's membership of its hub, and tells the hub if it can be reached. What works have created " +
        "here keeps running until another hub's works adopt it or somebody deletes it: " +
        "kubectl get appliedmanifestworks shows it.",
    )
    .addOption(dataDirOption(directory))
    .option("--kubeconfig <file>", "detach this cluster instead")
    .option("--remove-works", "delete everything that works have created here")
    .addHelpText(
      "after",
      examples({
        "kerb detach": "what works have created stays",
        "kerb detach --remove-works": "and is deleted",
      }),
    )
    .action(detach);
}
