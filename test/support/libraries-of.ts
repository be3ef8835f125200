import { execFileSync } from "node:child_process";

/** What the dynamic loader would load of this machine. */
export function librariesOf(file: string): string[] {
  const listed = execFileSync("ldd", [file], { encoding: "utf8" });
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
}
