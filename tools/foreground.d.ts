import type { SpawnOptions } from "node:child_process";

export function inForeground(
  command: string,
  args: string[],
  options?: SpawnOptions,
): Promise<number>;
