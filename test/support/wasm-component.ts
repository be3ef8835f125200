// Components for tests, from C and a world in WIT.
import { join } from "node:path";
import { run } from "./command.ts";
import { root } from "./site.ts";
import { compileC } from "./wasm-module.ts";

const folder = "examples/wasm/component";

/** The HTTP handler of the examples; `greeting` begins what it says. */
export async function buildHandler(file: string, greeting: string) {
  const flags = ["--target=wasm32", "-nostdlib", "-Wl,--no-entry", `-DGREETING="${greeting}"`];
  await compileC(`${folder}/http.c`, `${file}.core`, ...flags);
  const script = join(root, folder, "componentize.js");
  const wit = join(root, folder, "http.wit");
  await run(process.execPath, [script, `${file}.core`, wit, "http", file]);
}
