import assert from "node:assert/strict";
import { test } from "node:test";
import { helpText, parseFlags } from "./flags.ts";

const table = {
  used: { port: "where it listens", modes: "how it judges", fast: "says that it hurries" },
  idle: ["v"],
  switches: ["fast"],
};

test("flags are read in all their forms", () => {
  const flags = parseFlags(["--port=1", "--port", "2", "--modes=a,b", "--fast", "-v=4"], table);
  assert.equal(flags.get("port"), "2");
  assert.deepEqual(flags.list("modes"), ["a", "b"]);
  assert.equal(flags.get("fast"), "true");
  assert.deepEqual(flags.idle, ["v"]);
});

for (const [args, message] of [
  [["--prot=1"], /^unknown flag: --prot$/],
  [["--port"], /^flag needs an argument: --port$/],
  [["web"], /^unknown argument: web$/],
] as [string[], RegExp][]) {
  test(`what is wrong with ${args.join(" ")} is said`, () => {
    assert.throws(() => parseFlags(args, table), { message });
  });
}

test("the help lists every flag at the start of a line", () => {
  assert.match(helpText("x", "does things", table), /^\s*--port\b/m);
});
