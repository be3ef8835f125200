import { Command, Option } from "commander";
import { examples } from "./examples.ts";

export interface Versions {
  kerb: string;
  kubernetes: string;
  node: string;
}

/** `kerb version`. */
export function versionCommand(versions: Versions) {
  return new Command("version")
    .summary("print versions")
    .description("Prints the versions of Kerb, of the Kubernetes that it is, and of Node.")
    .addOption(new Option("-o, --output <format>", "json").choices(["json"]))
    .addHelpText(
      "after",
      examples({
        "kerb version": "",
        "kerb version -o json": "for programs",
      }),
    )
    .action(({ output }: { output?: string }) => {
      if (output === "json") return console.log(JSON.stringify(versions, null, 2));
      console.log(`kerb        ${versions.kerb}`);
      console.log(`kubernetes  ${versions.kubernetes}`);
      console.log(`node        ${versions.node}`);
    });
}
