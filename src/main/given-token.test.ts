import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { givenToken, withoutToken } from "./given-token.ts";

test("a token comes by the command line, a file or a variable, in this order", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-token-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, "of.file\n");
  assert.equal(givenToken({}, undefined), undefined);
  assert.equal(givenToken({}, "of.variable"), "of.variable");
  assert.equal(givenToken({ token: "of.line" }, "of.variable"), "of.line");
  assert.equal(givenToken({ tokenFile }, "of.variable"), "of.file");
  writeFileSync(tokenFile, "\n");
  assert.throws(() => givenToken({ tokenFile }, "of.variable"), /token holds no token/);
});

test("a token is taken out of a command line, and nothing else is", () => {
  const words = ["join", "https://a:1", "--token", "secret", "--ca-hash", "b", "--token=secret"];
  assert.deepEqual(withoutToken(words), [
    ...["join", "https://a:1", "--token", "…", "--ca-hash", "b", "--token=…"],
  ]);
  assert.deepEqual(withoutToken(["join", "--token-file", "f"]), ["join", "--token-file", "f"]);
});
