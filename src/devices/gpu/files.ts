import { readFileSync } from "node:fs";

export interface GpuWorld {
  /** Of the machine's file tree: `/`. */
  root: string;
  /** Runs a program to its end; resolves with what it printed. */
  run(command: string, args: string[]): Promise<string>;
}

/** "" for what is not there. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

/** `KEY: value` by line. */
export const linesOf = (text: string, separator: string) =>
  new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const at = line.indexOf(separator);
      return at < 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
    }),
  );
