import assert from "node:assert/strict";
import { test } from "node:test";
import { httpSettings } from "./http-settings.ts";

test("annotations say how many instances there are, and how often one is used", () => {
  const always = 2 ** 31 - 1;
  assert.deepEqual(httpSettings(), { instancesMax: 16, readyMin: 1, usesMax: always });
  const given = {
    "kerb.dev/wasm-concurrency": "4",
    "kerb.dev/wasm-pool": "9",
    "kerb.dev/wasm-requests-per-instance": "100",
  };
  assert.deepEqual(httpSettings(given), { instancesMax: 4, readyMin: 4, usesMax: 100 });
  assert.equal(httpSettings({ ...given, "kerb.dev/wasm-instance": "fresh" }).usesMax, 1);
});

test("a value that is none is refused by its annotation's name", () => {
  for (const text of ["0", "-1", "many", "1.5", "1025", ""]) {
    const annotations = { "kerb.dev/wasm-concurrency": text };
    assert.throws(() => httpSettings(annotations), /kerb.dev\/wasm-concurrency must be a whole/);
  }
  const annotations = { "kerb.dev/wasm-instance": "old" };
  assert.throws(() => httpSettings(annotations), /wasm-instance must be fresh or reused/);
});
