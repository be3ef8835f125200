// Makes a component from a core module and the world that it was written for.
//   componentize.js MODULE.wasm WORLD.wit WORLD OUT.wasm
import { readFileSync, writeFileSync } from "node:fs";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";

const [module, wit, world, out] = process.argv.slice(2);
const witSource = readFileSync(wit, "utf8");
const embedded = await componentEmbed({ binary: readFileSync(module), witSource, world });
writeFileSync(out, await componentNew(embedded, []));
