// How a developer asks for a bench or a long test: a command whose --help teaches, and that refuses what it does not know.
import { Command } from "commander";

/** `npm run SCRIPT -- ...`. `examples`: what is written after the script's name, to what it does. */
export function runner(script: string, does: string, examples: Record<string, string>): Command {
  const lines = Object.entries(examples).map(([args, what]) => {
    const line = args ? `npm run ${script} -- ${args}` : `npm run ${script}`;
    return [line, what] as const;
  });
  const width = Math.max(...lines.map(([line]) => line.length));
  const shown = lines.map(([line, what]) => `  ${line.padEnd(width)}   # ${what}`);
  return new Command(`npm run ${script} --`)
    .description(does)
    .showHelpAfterError(`(npm run ${script} -- --help says what there is)`)
    .addHelpText("after", `\nExamples:\n${shown.join("\n")}`);
}
