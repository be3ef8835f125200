import { Command, Option } from "commander";

export interface Versions {
  kerb: string;
  kubernetes: string;
  node: string;
}

/** `kerb version`. */
export function versionCommand(versions: Versions) {
  return new Command("version")
    .summary("print versions")
    .addOption(new Option("-o, --output <format>", "json").choices(["json"]))
    .action(({ output }: { output?: string }) => {
      if (output === "json") return console.log(JSON.stringify(versions, null, 2));
      console.log(`kerb        ${versions.kerb}`);
      console.log(`kubernetes  ${versions.kubernetes}`);
      console.log(`node        ${versions.node}`);
    });
}
