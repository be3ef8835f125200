// Called before runc creates a container of the handler `wasm`: rewrites the bundle's config.json.
// Arguments: the folder of the bundle.
import { openSync, readFileSync, readSync, realpathSync, writeFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { isSandbox, modulePath, wasmBundle } from "./bundle.ts";
import type { BundleConfig } from "./bundle.ts";
import { moduleKind, preambleBytes } from "./module-kind.ts";

/** Refuses what Node cannot run, by name. */
function checkModule(path: string, root: string) {
  const file = realpathSync(join(root, path));
  if (!file.startsWith(`${realpathSync(root)}/`)) throw new Error(`${path} leads out of the image`);
  const start = Buffer.alloc(preambleBytes);
  readSync(openSync(file, "r"), start, 0, preambleBytes, 0);
  const kind = moduleKind(start);
  if (kind === undefined) throw new Error(`${path} is no WebAssembly module`);
  if (kind === "component") {
    throw new Error(`${path} is a WebAssembly component; only core modules run`);
  }
}

/** What the dynamic loader gave this very process. */
function sharedObjects(): string[] {
  // Unknown to the types so far; without it, a report asks the DNS for the names of its peers.
  Object.assign(process.report, { excludeNetwork: true });
  const { sharedObjects: files } = process.report.getReport() as { sharedObjects: string[] };
  return files.filter((file) => file.startsWith("/") && file !== process.execPath);
}

function prepare(bundle: string) {
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as BundleConfig & {
    root: { path: string };
  };
  if (isSandbox(config)) return;
  checkModule(modulePath(config), resolve(bundle, config.root.path));
  const runner = join(import.meta.dirname, `wasm-run${extname(import.meta.filename)}`);
  const program = { executable: process.execPath, libraries: sharedObjects(), runner };
  writeFileSync(file, JSON.stringify(wasmBundle(config, program)));
}

try {
  prepare(process.argv[2]!);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
