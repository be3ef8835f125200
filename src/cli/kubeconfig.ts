import { Command } from "commander";
import { examples } from "./examples.ts";
import { dataDirOption } from "./up.ts";

export interface KubeconfigOptions {
  dataDir: string;
  sites?: boolean;
  server?: string;
}

/** `kerb kubeconfig`. */
export function kubeconfigCommand(
  directory: string,
  kubeconfig: (options: KubeconfigOptions) => Promise<string>,
) {
  return new Command("kubeconfig")
    .summary("print the administrator's kubeconfig")
    .description(
      "Prints the administrator's kubeconfig of the running site. At a hub, --sites adds a cluster and a " +
        "context for each attached site, which kubectl then reaches through the hub.",
    )
    .addOption(dataDirOption(directory))
    .option("--sites", "include the sites of this hub, by name")
    .option(
      "--server <url>",
      "address at which kubectl reaches this site (default: this machine's own)",
    )
    .addHelpText(
      "after",
      examples({
        "kerb kubeconfig > site.yaml": "",
        "kerb kubeconfig --sites > fleet.yaml": "at a hub",
        "kubectl --kubeconfig fleet.yaml --cluster farm get pods": "a site of it",
      }),
    )
    .action(async (options: KubeconfigOptions) => {
      process.stdout.write(await kubeconfig(options));
    });
}
