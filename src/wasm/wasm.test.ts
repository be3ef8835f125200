import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { modulePath, wasmBundle } from "./bundle.ts";
import { moduleKind } from "./module-kind.ts";
import { writeHandlerBinary } from "../containers/handler-binary.ts";

/** A WASI module that exits with 7. */
const exitsWith7 = Buffer.from(
  [
    "0061736d0100000001080260017f0060000002240116776173695f736e617073686f745f70726576",
    "696577310970726f635f657869740000030201010503010001071302066d656d6f72790200065f73",
    "7461727400010a08010600410710000b",
  ].join(""),
  "hex",
);

test("modules are told from components and from anything else by their bytes", () => {
  const rows: [string, string | undefined][] = [
    ["0061736d01000000", "core"],
    ["0061736d0d000100", "component"],
    ["0061736d02000000", undefined],
    ["7f454c4602010100", undefined],
    ["0061736d", undefined],
  ];
  for (const [hex, kind] of rows) assert.equal(moduleKind(Buffer.from(hex, "hex")), kind, hex);
});

test("a module's path is found from the container's working directory", () => {
  const of = (cwd: string, first: string) => modulePath({ process: { args: [first], cwd } });
  assert.equal(of("/", "/app.wasm"), "/app.wasm");
  assert.equal(of("/srv", "app.wasm"), "/srv/app.wasm");
  assert.equal(of("/", "../../etc/x"), "/etc/x");
});

test("a bundle runs its module under Node, and keeps its arguments and mounts", () => {
  const volume = { destination: "/data", source: "/volumes/data" };
  const { process: started, mounts } = wasmBundle(
    { process: { args: ["app.wasm", "-v"], cwd: "/srv" }, mounts: [volume] },
    { executable: "/usr/bin/node", libraries: ["/lib64/ld-linux.so.2"], runner: "/k/run.js" },
  );
  assert.equal(started.args[0], "/.kerb/ld-linux.so.2");
  assert.deepEqual(started.args.slice(-3), ["/.kerb/run.mjs", "/srv/app.wasm", "-v"]);
  assert.deepEqual(
    mounts!.map(({ destination }) => destination),
    ["/data", "/.kerb/node", "/.kerb/run.mjs", "/.kerb/ld-linux.so.2"],
  );
});

function inFolder(use: (folder: string) => void) {
  const folder = mkdtempSync(join(tmpdir(), "kerb-wasm-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a container ends with the exit code of its module", () => {
  inFolder((folder) => {
    const file = join(folder, "app.wasm");
    writeFileSync(file, exitsWith7);
    const runner = join(import.meta.dirname, "wasm-run.ts");
    assert.equal(spawnSync(process.execPath, [runner, file]).status, 7);
  });
});

test("what is no core module is refused by name before runc sees it", () => {
  const prepare = join(import.meta.dirname, "wasm-prepare.ts");
  inFolder((folder) => {
    const runtime = writeHandlerBinary(folder, { name: "wasm", prepare }, "/bin/true");
    const bundle = { process: { args: ["/app.wasm"], cwd: "/" }, root: { path: "." } };
    const create = (bytes: Buffer) => {
      writeFileSync(join(folder, "config.json"), JSON.stringify(bundle));
      writeFileSync(join(folder, "app.wasm"), bytes);
      return spawnSync(runtime, ["create", "--bundle", folder, "id"], { encoding: "utf8" });
    };
    assert.match(create(Buffer.from("0061736d0d000100", "hex")).stderr, /only core modules run/);
    assert.match(create(Buffer.from("#!/bin/sh -eu")).stderr, /is no WebAssembly module/);
    assert.equal(create(exitsWith7).status, 0);
    assert.match(readFileSync(join(folder, "config.json"), "utf8"), /run\.mts/);
  });
});
