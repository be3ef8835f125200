// Components for tests, from C and a world in WIT.
import { join } from "node:path";
import { run } from "./command.ts";
import { root } from "./site.ts";
import { compileC } from "./wasm-module.ts";

const folder = "examples/wasm/component";

async function build(name: string, world: string, file: string, ...more: string[]) {
  const flags = ["--target=wasm32", "-nostdlib", "-Wl,--no-entry", ...more];
  await compileC(`${folder}/${name}.c`, `${file}.core`, ...flags);
  const script = join(root, folder, "componentize.js");
  const wit = join(root, folder, "http.wit");
  await run(process.execPath, [script, `${file}.core`, wit, world, file]);
}

/** The HTTP handler of the examples; `greeting` begins what it says. */
export const buildHandler = (file: string, greeting: string) =>
  build("http", "http", file, `-DGREETING="${greeting}"`);

/** The one that sends back what comes, piece by piece. */
export const buildStreamingHandler = (file: string) => build("stream", "streaming", file);
