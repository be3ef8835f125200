// A port that is any free one the first time and the same ever after, so that what was told of it stays true.
import { readIfThere, replaceFile } from "../files.ts";

export interface KeptPort {
  /** Of the last time. */
  read(): number | undefined;
  keep(port: number): void;
}

export const keptPort = (file: string): KeptPort => ({
  read: () => Number(readIfThere(file)) || undefined,
  keep: (port) => replaceFile(file, `${port}\n`),
});
