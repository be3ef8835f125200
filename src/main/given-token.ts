// A token that this process was given. All users of a machine see command lines, so it may come by a file, by standard
// input or by a variable, which what Kerb starts does not inherit; and one that came by the command line is taken out of it.
import { readFileSync } from "node:fs";

export interface GivenToken {
  token?: string;
  tokenFile?: string;
}

const standardInput = 0;

/** Of the words of a command line, those that all may see. Pure. */
export const withoutToken = (words: readonly string[]) =>
  words.map((word, i) =>
    words[i - 1] === "--token" ? "…" : word.replace(/^(--token=).*/s, "$1…"),
  );

/** Undefined where none was given. Throws where the file cannot be read. */
export function givenToken(
  { token, tokenFile }: GivenToken,
  variable: string | undefined,
): string | undefined {
  if (tokenFile === undefined) return token ?? variable;
  const text = readFileSync(tokenFile === "-" ? standardInput : tokenFile, "utf8").trim();
  if (text === "") throw new Error(`--token-file ${tokenFile} holds no token`);
  return text;
}

/** From now on no list of processes shows it; the kernel lets a process write over its command line. */
export function hideToken({ token }: GivenToken) {
  if (token !== undefined)
    process.title = ["kerb", ...withoutToken(process.argv.slice(2))].join(" ");
}
