// Makes a component into JavaScript and core modules, once for each component and kept by its digest. It is
// done by a process of its own: jco is large, and needed at no other time.
import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { extname, join } from "node:path";
import { factsFile } from "./component.ts";

const transpileMsMax = 180_000;
const heapMiBMax = 2048;
const componentsMax = 64;

/** Of the transpiler and what is made with it: another one makes everything anew. */
const generation = "jco-0.15.0-4";

const folderName = (bytes: Uint8Array) =>
  `${createHash("sha256").update(bytes).digest("hex")}-${generation}`;

/** Those that were not used for longest go. */
function collect(cache: string) {
  const folders = readdirSync(cache)
    .map((name) => join(cache, name))
    .map((path) => ({ path, usedAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.usedAt - a.usedAt);
  for (const { path } of folders.slice(componentsMax))
    rmSync(path, { recursive: true, force: true });
}

/** Of a component that is gone; whoever runs it has what was made of it. */
export const forgetTranspiled = (cache: string, bytes: Uint8Array) =>
  rmSync(join(cache, folderName(bytes)), { recursive: true, force: true });

function run(args: string[], input: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { timeout: transpileMsMax, env: {}, maxBuffer: 1 << 20 };
    const child = execFile(process.execPath, args, options, (error, _stdout, stderr) => {
      if (error) reject(new Error(stderr.trim() || `was not transpiled: ${error.message}`));
      else resolve();
    });
    child.stdin!.on("error", () => {});
    child.stdin!.end(input);
  });
}

/** `now`: seconds since 1970. Resolves with the folder; throws in words that go on where the component is named. */
export async function transpiled(cache: string, bytes: Uint8Array, now: number): Promise<string> {
  const folder = join(cache, folderName(bytes));
  if (existsSync(join(folder, factsFile))) {
    utimesSync(folder, now, now);
    return folder;
  }
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  const extension = extname(import.meta.filename) === ".ts" ? ".ts" : ".js";
  const program = join(import.meta.dirname, `wasm-transpile${extension}`);
  await run([`--max-old-space-size=${heapMiBMax}`, program, folder], bytes);
  collect(cache);
  return folder;
}
