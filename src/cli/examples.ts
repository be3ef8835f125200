/** The end of a help text: command lines, each to what it does. */
export function examples(lines: Record<string, string>): string {
  const width = Math.max(...Object.keys(lines).map((line) => line.length));
  const shown = Object.entries(lines).map(([line, does]) =>
    does ? `  ${line.padEnd(width)}   # ${does}` : `  ${line}`,
  );
  return `\nExamples:\n${shown.join("\n")}`;
}
