import assert from "node:assert/strict";
import { test } from "node:test";
import { takeBuiltins } from "../tools/builtin-imports.ts";

const take = (module: string) => `globalThis.process.getBuiltinModule("${module}");`;

const cases = [
  {
    what: "names",
    built: 'import{once,EventEmitter as Emitter2}from"node:events";use();',
    taken: `var {once,EventEmitter:Emitter2}=${take("node:events")}use();`,
  },
  {
    what: "a whole module",
    built: 'import http2 from"node:http2";',
    taken: `var http2=${take("node:http2")}`,
  },
  {
    what: "a module below another",
    built: 'import{rm}from"node:fs/promises";',
    taken: `var {rm}=${take("node:fs/promises")}`,
  },
  { what: "a module for its effect", built: 'import"node:http";use();', taken: "use();" },
  {
    what: "another chunk",
    built: 'import{a}from"./chunk.js";',
    taken: 'import{a}from"./chunk.js";',
  },
  {
    what: "what is asked for later",
    built: 'await import("node:ffi")',
    taken: 'await import("node:ffi")',
  },
];

for (const { what, built, taken } of cases) {
  test(`in built files, of an import of ${what} remains what is used`, () => {
    assert.equal(takeBuiltins(built), taken);
  });
}

test("an import in a form that is not known stops the build", () => {
  assert.throws(() => takeBuiltins('import*as fs from"node:fs";'), /import\*as fs/);
});
