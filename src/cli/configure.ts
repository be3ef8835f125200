import { Command } from "commander";
import { examples } from "./examples.ts";
import { formatTable } from "./table.ts";
import { dataDirOption } from "./up.ts";

export interface ConfiguredOption {
  option: string;
  value: string;
  from: string;
}

/** `kerb configure`. */
export function configureCommand(
  directory: string,
  configure: (settings: string[], options: { dataDir: string }) => Promise<ConfiguredOption[]>,
) {
  return new Command("configure")
    .summary("give the running site other options of kerb up")
    .description(
      "Starts the site anew with the options, leaves workloads alone, and keeps the options for later starts. " +
        "If it is not ready in time, the options before are its own again. What its command line says wins. " +
        "OPTION= takes an option back; without arguments it shows which options the site has, and from where.",
    )
    .argument(
      "[option=value...]",
      "as `kerb up` has them, without the dashes; wings are true or false",
    )
    .addOption(dataDirOption(directory))
    .addHelpText(
      "after",
      examples({
        "kerb configure": "what the site has, and from where",
        "kerb configure vms=true eviction-hard='memory.available<200Mi'": "",
        "kerb configure eviction-hard=": "the default again",
      }),
    )
    .action(async (settings: string[], options: { dataDir: string }) => {
      const rows = (await configure(settings, options)).map((one) => [
        ...[one.option, one.value, one.from],
      ]);
      console.log(formatTable(["OPTION", "VALUE", "FROM"], rows));
    });
}
