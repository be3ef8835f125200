// Components for tests, from C and a world in WIT.
import { join } from "node:path";
import { run } from "./command.ts";
import { root } from "./site.ts";
import { compileC } from "./wasm-module.ts";

const examples = "examples/wasm/component";

interface Sources {
  /** Without their extensions, below the repository's root. */
  source: string;
  wit: string;
  world: string;
}

async function build({ source, wit, world }: Sources, file: string, ...more: string[]) {
  const flags = ["--target=wasm32", "-nostdlib", "-Wl,--no-entry", ...more];
  await compileC(`${source}.c`, `${file}.core`, ...flags);
  const script = join(root, examples, "componentize.js");
  await run(process.execPath, [script, `${file}.core`, join(root, `${wit}.wit`), world, file]);
}

const http = `${examples}/http`;

/** The HTTP handler of the examples; `greeting` begins what it says. */
export const buildHandler = (file: string, greeting: string) =>
  build({ source: http, wit: http, world: "http" }, file, `-DGREETING="${greeting}"`);

/** The one that sends back what comes, piece by piece. */
export const buildStreamingHandler = (file: string) =>
  build({ source: `${examples}/stream`, wit: http, world: "streaming" }, file);

/** A command that sends itself a datagram. */
export const buildDatagrams = (file: string) =>
  build({ source: "test/wasm/datagrams", wit: "test/wasm/datagrams", world: "datagrams" }, file);
