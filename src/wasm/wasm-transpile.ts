// The transpiling process: a component comes by standard input, and the folder named by the argument holds
// what became of it, whole or not at all. Failures are told on standard error.
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { factsFile, scriptFile, withoutVersion } from "./component.ts";
import { withSuspension } from "./suspended-script.ts";

interface Transpiler {
  $init: Promise<void>;
  generate(
    component: Uint8Array,
    options: object,
  ): { files: [string, Uint8Array][]; imports: string[]; exports: [string, string][] };
}

/** Not needed by anybody who runs core modules alone. */
async function transpiler(): Promise<Transpiler> {
  const name = "@bytecodealliance/jco-transpile/component";
  try {
    return await import(name);
  } catch {
    throw new Error(
      "needs the npm package @bytecodealliance/jco-transpile, which is not installed",
    );
  }
}

const minorVersions = 16;

/** Exports during which a guest may wait, in each version that there may be of them. */
const waitingExports = ["wasi:cli/run", "wasi:http/incoming-handler"].flatMap((name) =>
  Array.from({ length: minorVersions }, (_, minor) => {
    const method = name.endsWith("run") ? "run" : "handle";
    return `${name}@0.2.${minor}#${method}`;
  }),
);

async function transpile(folder: string) {
  const component = await buffer(process.stdin);
  const { $init, generate } = await transpiler();
  await $init;
  const made = generate(component, {
    name: "component",
    noTypescript: true,
    instantiation: { tag: "sync" },
    noNodejsCompat: true,
    base64Cutoff: 0,
    asyncMode: { tag: "jspi", val: { imports: [], exports: waitingExports } },
  });
  const facts = {
    imports: made.imports.map(withoutVersion),
    exports: [...new Set(made.exports.map(([name]) => withoutVersion(name)))],
  };
  mkdirSync(dirname(folder), { recursive: true });
  const staging = mkdtempSync(`${folder}.`);
  // Nobody's user reads it in its container.
  chmodSync(staging, 0o755);
  for (const [name, bytes] of made.files) {
    const isScript = name === "component.js";
    if (/[/\\]/.test(name)) continue;
    const content = isScript ? withSuspension(Buffer.from(bytes).toString()) : bytes;
    writeFileSync(join(staging, isScript ? scriptFile : name), content, { mode: 0o644 });
  }
  writeFileSync(join(staging, factsFile), JSON.stringify(facts));
  try {
    renameSync(staging, folder);
  } catch {
    // Somebody else was faster.
    rmSync(staging, { recursive: true });
  }
}

try {
  await transpile(process.argv[2]!);
} catch (error) {
  const { message } = error as Error;
  process.stderr.write(`is no component that can be run: ${message}\n`);
  process.exit(1);
}
