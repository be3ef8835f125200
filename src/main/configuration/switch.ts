// How a running site gets other options: it stops, as for a restart, and becomes itself again with them, while a
// watcher stands by. Containers do not notice.
import type { UpOptions } from "../../cli/up.ts";
import { systemClock } from "../../lib/clock.ts";
import { changeOptions, optionsText } from "../../lib/configurable-options.ts";
import type { OptionValues, Setting } from "../../lib/configurable-options.ts";
import { systemRandom } from "../../lib/random.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Plugs } from "../../server/policy.ts";
import { readState } from "../releases/state.ts";
import { ownOptions, parseOptions } from "./parse.ts";
import { readConfiguration, tryOptions, writeConfiguration } from "./state.ts";
import type { ConfigurationState } from "./state.ts";

/** For an answer on its way. */
const answerMs = 500;

export const configurationPath = "/kerb/configuration";
export const changePath = "/kerb/configuration/change";

/** What a site says of its options. */
export interface ConfigurationReport extends ConfigurationState {
  /** Options of its command line, which wins. */
  commandLine: string[];
}

export class ConfigurationSwitch {
  readonly #directory: string;
  readonly #commandLine: string[];
  readonly #resolvers = Promise.withResolvers<"configuration">();

  constructor(directory: string, asked: UpOptions) {
    this.#directory = directory;
    this.#commandLine = ownOptions(asked);
  }

  /** Resolves when the site is to stop and start anew. */
  get requested() {
    return this.#resolvers.promise;
  }

  report(): ConfigurationReport {
    return { ...readConfiguration(this.#directory), commandLine: this.#commandLine };
  }

  /** What the site would have; undefined when that is what it has. Throws an Error that names the option. */
  plan(settings: Setting[]): OptionValues | undefined {
    const { good } = readConfiguration(this.#directory);
    const options = changeOptions(good, settings);
    parseOptions(options);
    return optionsText(options) === optionsText(good) ? undefined : options;
  }

  /** Soon after it returns the site stops. */
  request(change: string, settings: Setting[]) {
    const options = this.plan(settings);
    if (!options) return;
    const state = readConfiguration(this.#directory);
    if (state.trying || readState(this.#directory)?.trying) {
      throw new StatusError("Conflict", "the site tries another change; ask again when it is over");
    }
    writeConfiguration(this.#directory, tryOptions(state, change, options));
    // Whoever asked hears the answer before the site stops.
    systemClock.after(answerMs, () => this.#resolvers.resolve("configuration"));
  }
}

/** `eviction-hard=memory.available<200Mi`; without a value it is as by itself. */
function settingOf(text: string): Setting {
  const [, option, value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (option) return { option, value: value! };
  throw new StatusError("BadRequest", `${text}: OPTION=VALUE is needed`);
}

/** POST /kerb/configuration/change?set=OPTION=VALUE&set=… */
export function plugConfiguration(plugs: Plugs, configuration: ConfigurationSwitch) {
  const report = () => ({ code: 200, object: configuration.report() });
  plugs.paths.set(configurationPath, async () => report());
  plugs.paths.set(changePath, async ({ method, query }) => {
    if (method !== "POST")
      throw new StatusError("MethodNotAllowed", "this path is asked with POST");
    const settings = query.getAll("set").map(settingOf);
    try {
      configuration.plan(settings);
    } catch (error) {
      throw new StatusError("BadRequest", (error as Error).message);
    }
    configuration.request(systemRandom.uuid(), settings);
    return report();
  });
}
