import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { runToEnd } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { writeHandlerBinary } from "./handler-binary.ts";
import { Scope } from "../lib/scope.ts";
import type { Runtime } from "../node/runtime.ts";
import { preparingAhead } from "./preparing-ahead.ts";

const program = join(import.meta.dirname, "../wasm/wasm-prepare.ts");
const emptyModule = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

let folder: string;
let ask: string;
let handler: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kerb-ahead-"));
  ask = join(folder, "ask");
  // One that is started for this bundle would say so.
  const prepare = join(folder, "started-for-this-bundle.ts");
  writeFileSync(prepare, `process.stderr.write("started for it"); process.exit(1);`);
  handler = writeHandlerBinary(folder, { name: "wasm", prepare, ask }, "/bin/true");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the runtime says of a bundle with this module. */
async function create(module: Buffer): Promise<string> {
  const bundle = mkdtempSync(join(folder, "bundle-"));
  const config = { process: { args: ["/app.wasm"], cwd: "/" }, root: { path: "." } };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  writeFileSync(join(bundle, "app.wasm"), module);
  return (await runToEnd(handler, ["create", "--bundle", bundle, "id"])).stderr;
}

function ahead(scope: Scope): Runtime {
  const runtime = { runSandbox: () => Promise.resolve("id"), createContainer: () => undefined };
  const words = [program, "--wait", ask, join(folder, "components")];
  const options = { handlers: ["wasm"], ask, program: words, scope };
  return preparingAhead(runtime as unknown as Runtime, options);
}

test("whoever looks at bundles is there when a sandbox of modules is, and goes with Kerb", async () => {
  const scope = new Scope();
  const runtime = ahead(scope);
  await runtime.runSandbox({ handler: "" } as any);
  assert.equal(existsSync(ask), false);
  await runtime.runSandbox({ handler: "wasm" } as any);
  await eventually(async () => existsSync(ask), "a pipe to ask by");
  const text = await create(Buffer.from("#!/bin/sh -eu"));
  assert.match(text, /app\.wasm is no WebAssembly module/);
  assert.match(await create(Buffer.from(emptyModule)), /app\.wasm exports no function _start/);
  await scope.close();
  await eventually(async () => !existsSync(ask), "the pipe gone");
  assert.match(await create(Buffer.from(emptyModule)), /started for it/);
});

test("a pipe at which nobody waits holds nobody up", async () => {
  await runToEnd("mkfifo", [ask]);
  assert.match(await create(Buffer.from(emptyModule)), /started for it/);
  assert.equal(existsSync(ask), false);
});
