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
    .summary("change the options of the running site")
    .description(
      "Restarts the site with the options and keeps them for later starts; workloads keep running. " +
        "If it is not ready in time, the site rolls back to its former options. The command line of `kerb up` takes precedence. " +
        "OPTION= unsets an option; without arguments the current options are shown, and where they come from.",
    )
    .argument(
      "[option=value...]",
      "as `kerb up` has them, without the dashes; wings are true or false",
    )
    .addOption(dataDirOption(directory))
    .addHelpText(
      "after",
      examples({
        "kerb configure": "show the current options",
        "kerb configure vms=true eviction-hard='memory.available<200Mi'": "",
        "kerb configure eviction-hard=": "back to the default",
      }),
    )
    .action(async (settings: string[], options: { dataDir: string }) => {
      const rows = (await configure(settings, options)).map((one) => [
        ...[one.option, one.value, one.from],
      ]);
      console.log(formatTable(["OPTION", "VALUE", "FROM"], rows));
    });
}
