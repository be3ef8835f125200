// Where this very Kerb has Node and the runner of modules.
import { readFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import type { Runner } from "./bundle.ts";

/** What the dynamic loader gave this process. */
function sharedObjects(): string[] {
  const maps = readFileSync("/proc/self/maps", "utf8");
  const found = [...maps.matchAll(/ (\/\S+\.so[.\d]*)$/gm)].map((match) => match[1]!);
  return [...new Set(found)];
}

export function ownRunner(): Runner {
  const isBuilt = extname(import.meta.filename) !== ".ts";
  return {
    executable: process.execPath,
    libraries: sharedObjects(),
    // Sources find each other by their folders; the build puts all of the runner into one.
    folder: isBuilt ? join(import.meta.dirname, "wasm") : resolve(import.meta.dirname, ".."),
    file: isBuilt ? "wasm-run.cjs" : "wasm/wasm-run.ts",
  };
}
