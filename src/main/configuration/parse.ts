// From options as they are kept to what `kerb up` makes of them.
import { Command, CommanderError } from "commander";
import { addNodeOptions } from "../../cli/node-options.ts";
import type { UpOptions } from "../../cli/up.ts";
import { argumentsOf, configurableOptions, wingOptions } from "../../lib/configurable-options.ts";
import type { OptionValues } from "../../lib/configurable-options.ts";
import { nodeSettingsOf } from "../node/node-settings.ts";

/** Throws an Error that names the option. */
export function parseOptions(options: OptionValues): Partial<UpOptions> {
  const command = addNodeOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  for (const wing of wingOptions) command.option(`--${wing}`);
  try {
    command.parse(argumentsOf(options), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new Error(error.message.replace(/^error: /, ""), { cause: error });
  }
  const parsed = command.opts<Partial<UpOptions>>();
  nodeSettingsOf(parsed);
  return parsed;
}

const fieldOf = (option: string) => option.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

/** Which of the options that may be changed the command line has, and so keeps. */
export const ownOptions = (asked: UpOptions): string[] =>
  configurableOptions.filter((option) => Object.hasOwn(asked, fieldOf(option)));
