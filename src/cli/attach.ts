import { Command } from "commander";
import { examples } from "./examples.ts";
import { parseServer } from "./join.ts";
import { dataDirOption, parseSiteName } from "./up.ts";

export interface AttachOptions {
  dataDir: string;
  kubeconfig?: string;
  bootstrapKubeconfig?: string;
  token?: string;
  caHash?: string;
  name?: string;
  standby?: boolean;
}

/** `kerb attach`. */
export function attachCommand(
  directory: string,
  attach: (hub: string | undefined, options: AttachOptions) => Promise<void>,
) {
  return new Command("attach")
    .summary("make this site a member of a hub")
    .description(
      "Attaches the running site to a hub with the command that `kerb token create --site` printed " +
        "there. The site opens every connection itself and goes on alone whenever the hub is away. " +
        "A site has one hub: one that has another already stays with that until the new one takes it.",
    )
    .argument("[hub]", "https://ADDRESS:PORT of the hub", parseServer)
    .addOption(dataDirOption(directory))
    .option("--token <token>", "introduces this site")
    .option("--ca-hash <hash>", "by which the hub's authority is known")
    .option(
      "--bootstrap-kubeconfig <file>",
      "instead of these three: how a hub of Open Cluster Management's is introduced",
    )
    .option(
      "--kubeconfig <file>",
      "attach the cluster of this file instead, on which `kerb run --wings member` runs",
    )
    .option("--name <site>", "the site's name at the hub (default: its own)", parseSiteName)
    .option(
      "--standby",
      "not now: go to this hub by itself once the site's own was not heard for ten minutes",
    )
    .addHelpText(
      "after",
      examples({
        "kerb attach https://10.0.0.5:6443 --token … --ca-hash sha256:…": "this machine's site",
        "kerb attach --bootstrap-kubeconfig bootstrap.yaml --name farm": "a hub that is no Kerb",
        "kerb attach --kubeconfig k3s.yaml --name farm …": "a cluster that is no Kerb",
      }),
    )
    .action(attach);
}
