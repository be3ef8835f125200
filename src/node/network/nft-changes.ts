// Differences between two states of a table as nftables commands.
import { runCommand } from "../../lib/run-command.ts";

/** Verdicts by key: keys whose verdict changes go first. */
export function mapChanges(name: string, now: Map<string, string>, was: Map<string, string>) {
  const gone = [...was].filter(([key, chain]) => now.get(key) !== chain).map(([key]) => key);
  const added = [...now].filter(([key, chain]) => was.get(key) !== chain);
  return {
    remove: gone.map((key) => `delete element ${name} { ${key} }`),
    add: added.map(([key, chain]) => `add element ${name} { ${key} : goto ${chain} }`),
  };
}

export function setChanges(name: string, now: Iterable<string>, was: Iterable<string>) {
  const after = new Set(now);
  const before = new Set(was);
  return [
    ...[...before].filter((e) => !after.has(e)).map((e) => `delete element ${name} { ${e} }`),
    ...[...after].filter((e) => !before.has(e)).map((e) => `add element ${name} { ${e} }`),
  ];
}

export const sameRules = (a: string[], b: string[] | undefined) =>
  b !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i]);

/** Removes a table; connections through it end. */
export async function removeRules(table: string) {
  await runCommand("nft", ["-f", "-"], `add table ip ${table}\ndelete table ip ${table}\n`);
}
