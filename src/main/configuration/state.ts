// DIR/configuration.json: the options of `kerb up` that a site was given while it ran. A change that is tried has two
// starts to prove itself; then the options before are the site's again, whoever starts it. Pure, but for the file.
import { join } from "node:path";
import type { OptionValues } from "../../lib/configurable-options.ts";
import { readIfThere, replaceFile } from "../files.ts";

export interface ConfigurationState {
  format: 1;
  /** What the site has, and goes back to. */
  good: OptionValues;
  /** The last change that proved itself. */
  proved?: string;
  trying?: { change: string; options: OptionValues; starts: number };
  /** The last change that did not. */
  failed?: { change: string; message: string };
}

export const startsMax = 2;

const stateFile = (directory: string) => join(directory, "configuration.json");

export function readConfiguration(directory: string): ConfigurationState {
  const text = readIfThere(stateFile(directory));
  if (text === undefined) return { format: 1, good: {} };
  const state = JSON.parse(text) as ConfigurationState;
  if (state.format === 1) return state;
  throw new Error(`${stateFile(directory)} is of another release of Kerb`);
}

export const writeConfiguration = (directory: string, state: ConfigurationState) =>
  replaceFile(stateFile(directory), `${JSON.stringify(state, null, 2)}\n`);

/** The change that is tried is given up. Pure. */
export function giveUpChange(state: ConfigurationState, why: string): ConfigurationState {
  const { trying, ...others } = state;
  return trying ? { ...others, failed: { change: trying.change, message: why } } : state;
}

/** What a site that is started has, and what is written down before. Pure. */
export function chooseOptions(state: ConfigurationState): {
  options: OptionValues;
  state?: ConfigurationState;
} {
  const { good, trying } = state;
  if (!trying) return { options: good };
  if (trying.starts >= startsMax) {
    const why = `the site was started ${startsMax} times with it and was never ready`;
    return { options: good, state: giveUpChange(state, why) };
  }
  const counted = { ...trying, starts: trying.starts + 1 };
  return { options: trying.options, state: { ...state, trying: counted } };
}

/** Starts are counted from here. Pure. */
export const tryOptions = (
  { good, proved }: ConfigurationState,
  change: string,
  options: OptionValues,
): ConfigurationState => ({
  ...{ format: 1, good },
  ...(proved !== undefined && { proved }),
  trying: { change, options, starts: 0 },
});

/** The change that is tried has proved itself. Pure. */
export const proveChange = ({ trying }: ConfigurationState): ConfigurationState | undefined =>
  trying && { format: 1, good: trying.options, proved: trying.change };
