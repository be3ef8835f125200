// `kerb configure OPTION=VALUE...`: gives the running site other options and watches it start with them.
import { resolve } from "node:path";
import { json } from "node:stream/consumers";
import type { ConfiguredOption } from "../../cli/configure.ts";
import { askSiteIn } from "../commands/ask-site.ts";
import { runningOn } from "../run-file.ts";
import { untilProven } from "../site/until-proven.ts";
import { changePath, configurationPath } from "./switch.ts";
import type { ConfigurationReport } from "./switch.ts";

const optionsIn = ({ good, commandLine }: ConfigurationReport): ConfiguredOption[] => [
  ...commandLine.map((option) => ({ option, value: "", from: "the command line" })),
  ...Object.entries(good).flatMap(([option, values]) =>
    values.map((value) => ({
      ...{ option, value },
      from: commandLine.includes(option)
        ? "kerb configure; the command line wins"
        : "kerb configure",
    })),
  ),
];

/** Resolves with what the site has then. */
export async function configureSite(
  settings: string[],
  { dataDir }: { dataDir: string },
): Promise<ConfiguredOption[]> {
  const directory = resolve(dataDir);
  runningOn(directory);
  const ask = async (method: string, path: string) =>
    (await json(await askSiteIn(directory, method, path))) as ConfigurationReport;
  if (settings.length === 0) return optionsIn(await ask("GET", configurationPath));
  const query = new URLSearchParams(settings.map((one) => ["set", one]));
  const asked = await ask("POST", `${changePath}?${query}`);
  const change = asked.trying?.change;
  if (change === undefined) return optionsIn(asked);
  const look = async () => {
    const report = await ask("GET", configurationPath).catch(() => undefined);
    return report?.trying ? undefined : report;
  };
  const report = await untilProven(look, `the site does not answer; see ${directory}/kerb.log`);
  if (report.failed?.change === change) {
    throw new Error(`${report.failed.message}; the options before are the site's again`);
  }
  return optionsIn(report);
}
