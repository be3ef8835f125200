// Runs a program of the runner under node:wasi, to compare. Argument: the program's file.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const { module, args, env, preopens } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const given = Object.fromEntries(preopens.map(({ guest, host }) => [guest, host]));
const wasi = new WASI({ version: "preview1", args, env, preopens: given });
const compiled = await WebAssembly.compile(readFileSync(module));
wasi.start(await WebAssembly.instantiate(compiled, wasi.getImportObject()));
