// Programs of this machine and what they load, kept beside the programs' stamps, since asking the dynamic loader takes
// longer than all else that is prepared.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { runCommand } from "../../lib/run-command.ts";

/** Of what `ldd` prints. Pure. */
export const loadedFiles = (listed: string): string[] => [
  ...new Set([...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!)),
];

interface Known {
  stamp: string;
  files: string[];
}

const stampOf = (program: string) => {
  const { mtimeMs, size } = statSync(program);
  return `${program} ${mtimeMs} ${size}`;
};

/** `kept` is a file of Kerb's. */
export async function withLibraries(programs: string[], kept: string): Promise<string[]> {
  const stamp = programs.map(stampOf).join("\n");
  try {
    const known = JSON.parse(readFileSync(kept, "utf8")) as Known;
    const isThere = known.files.every((path) => existsSync(path));
    if (known.stamp === stamp && isThere) return known.files;
  } catch {
    // Not asked before.
  }
  const files = [...programs, ...loadedFiles(await runCommand("ldd", programs))];
  writeFileSync(kept, JSON.stringify({ stamp, files }));
  return files;
}
