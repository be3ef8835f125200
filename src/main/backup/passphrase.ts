import { readFileSync } from "node:fs";

const charactersMin = 8;

/** The first line of a file. */
export function readPassphrase(path: string): string {
  const [line = ""] = readFileSync(path, "utf8").split("\n", 1);
  const passphrase = line.replace(/\r$/, "");
  if (passphrase.length >= charactersMin) return passphrase;
  throw new Error(`the passphrase in ${path} has fewer than ${charactersMin} characters`);
}
