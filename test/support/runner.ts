// How a developer asks for a bench or a long test: a command whose --help teaches, and that refuses what it does not know.
import { Command } from "commander";
import { examples } from "../../src/cli/examples.ts";

/** `npm run SCRIPT -- ...`. `shown`: what is written after the script's name, to what it does. */
export function runner(script: string, does: string, shown: Record<string, string>): Command {
  const lines = Object.entries(shown).map(([args, what]) => {
    return [args ? `npm run ${script} -- ${args}` : `npm run ${script}`, what];
  });
  return new Command(`npm run ${script} --`)
    .description(does)
    .showHelpAfterError(`(npm run ${script} -- --help says what there is)`)
    .addHelpText("after", examples(Object.fromEntries(lines)));
}
