// Makes a component of a script with ComponentizeJS. Its engine knows one version of WASI's interfaces; jco
// carries most of them in a later one, so they are told under the engine's, without the worlds that nobody asks.
//   build.js SCRIPT.js OUT.wasm
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [script, out] = process.argv.slice(2);
const [theirs, later] = ["0.2.10", "0.2.12"];
const packages = join(import.meta.dirname, "node_modules/@bytecodealliance");
const builtin = join(packages, "jco/lib/wit/builtin");
const { componentize } = await import(join(packages, "componentize-js/src/componentize.js"));

/** The text without its worlds. */
const withoutWorlds = (text) => text.replace(/^world [\w-]+ \{[^]*?^\}/gm, "");

const folder = mkdtempSync(join(tmpdir(), "wit-"));
try {
  const deps = join(folder, "deps");
  mkdirSync(deps);
  cpSync(join(builtin, later), deps, { recursive: true });
  cpSync(join(builtin, theirs), deps, { recursive: true });
  for (const name of readdirSync(deps)) {
    const file = join(deps, name, "package.wit");
    const text = readFileSync(file, "utf8").replaceAll(later, theirs);
    writeFileSync(file, name === "wasi-http" ? text : withoutWorlds(text));
  }
  const world = `package kerb:example;\nworld app { include wasi:http/proxy@${theirs}; }\n`;
  writeFileSync(join(folder, "world.wit"), world);
  const options = { witPath: folder, worldName: "app", sourceName: "hello.js" };
  const { component } = await componentize(readFileSync(script, "utf8"), options);
  writeFileSync(out, component);
} finally {
  rmSync(folder, { recursive: true });
}
