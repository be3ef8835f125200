// WebAssembly for tests, built from sources in C with Debian's clang and wasi-libc.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { root } from "./site.ts";
import type { Site } from "./site.ts";

/** Compiles `source` (below the repository's root) to `file`. */
export async function compileC(source: string, file: string, ...flags: string[]) {
  const args = ["--target=wasm32-wasi", "-O2", ...flags, "-o", file, join(root, source)];
  await run("clang", args, { timeoutMs: 120_000 });
}

/** A module in a folder of its own, until the test file ends. */
export async function buildModule(source: string, ...flags: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "kerb-wasm-"));
  const file = join(folder, "module.wasm");
  await compileC(source, file, ...flags);
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}

/** Imports it as a user would: `kerb image import FILE.wasm --name NAME`. */
export async function importModule(site: Site, source: string, name: string) {
  const folder = join(site.directory, "modules");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name.replace(/\W/g, "-")}.wasm`);
  await compileC(source, file);
  await site.kerb("image", "import", file, "--name", name);
}
