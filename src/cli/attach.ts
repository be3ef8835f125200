import { Command } from "commander";
import { examples } from "./examples.ts";
import { parseServer } from "./join.ts";
import { tokenFileOption } from "./token.ts";
import { dataDirOption, parseSiteName } from "./up.ts";

export interface AttachOptions {
  dataDir: string;
  kubeconfig?: string;
  bootstrapKubeconfig?: string;
  token?: string;
  tokenFile?: string;
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
        "there. The site opens every connection itself and keeps working while the hub is unreachable. " +
        "A site has one hub: if it has another already, it stays there until the new one accepts it.",
    )
    .argument("[hub]", "https://ADDRESS:PORT of the hub", parseServer)
    .addOption(dataDirOption(directory))
    .option("--token <token>", "bootstrap token")
    .addOption(tokenFileOption())
    .option("--ca-hash <hash>", "hash of the hub's certificate authority")
    .option(
      "--bootstrap-kubeconfig <file>",
      "instead of these three: bootstrap kubeconfig of an Open Cluster Management hub",
    )
    .option(
      "--kubeconfig <file>",
      "attach this cluster instead, on which `kerb run --wings member` runs",
    )
    .option("--name <site>", "the site's name at the hub (default: its own)", parseSiteName)
    .option(
      "--standby",
      "as a standby: switch to this hub when the site's own hub has not answered for ten minutes",
    )
    .addHelpText(
      "after",
      examples({
        "kerb attach https://10.0.0.5:6443 --token … --ca-hash sha256:…": "this machine's site",
        "kerb attach --bootstrap-kubeconfig bootstrap.yaml --name farm": "a hub that is not Kerb",
        "kerb attach --kubeconfig k3s.yaml --name farm …": "a cluster that is not Kerb",
      }),
    )
    .action(attach);
}
