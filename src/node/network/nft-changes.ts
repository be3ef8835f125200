// Differences between two states of a table as nftables commands.
import type { IpFamily } from "../../lib/ip-range.ts";
import { runCommand } from "../../lib/run-command.ts";
import { nftFamilies } from "./nft-family.ts";

/** Verdicts by key: keys whose verdict changes go first. */
export function mapChanges(name: string, now: Map<string, string>, was: Map<string, string>) {
  const gone = [...was].filter(([key, verdict]) => now.get(key) !== verdict).map(([key]) => key);
  const added = [...now].filter(([key, verdict]) => was.get(key) !== verdict);
  return {
    remove: gone.map((key) => `delete element ${name} { ${key} }`),
    add: added.map(([key, verdict]) => `add element ${name} { ${key} : ${verdict} }`),
  };
}

export function setChanges(name: string, now: Iterable<string>, was: Iterable<string>) {
  const after = now instanceof Set ? (now as Set<string>) : new Set(now);
  const before = was instanceof Set ? (was as Set<string>) : new Set(was);
  return [
    ...[...before].filter((e) => !after.has(e)).map((e) => `delete element ${name} { ${e} }`),
    ...[...after].filter((e) => !before.has(e)).map((e) => `add element ${name} { ${e} }`),
  ];
}

export const sameRules = (a: string[], b: string[] | undefined) =>
  a === b || (b !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i]));

/** Removes a table; connections through it end. */
export async function removeRules(table: string, family: IpFamily) {
  const t = `${nftFamilies[family].ip} ${table}`;
  await runCommand("nft", ["-f", "-"], `add table ${t}\ndelete table ${t}\n`);
}
