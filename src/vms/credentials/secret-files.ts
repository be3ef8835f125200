// A Secret as a kubelet writes it into a pod: its keys are files.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface SecretFile {
  name: string;
  text: string;
}

/** In the order of their names. */
export function secretFiles(folder: string): SecretFile[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith(".."))
    .toSorted()
    .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
}

/** Keys of SSH, a line each. */
export const keysIn = (files: SecretFile[]): string[] =>
  files.flatMap(({ text }) => text.split("\n").map((line) => line.trim())).filter(Boolean);
