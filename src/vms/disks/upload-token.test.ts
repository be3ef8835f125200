import assert from "node:assert/strict";
import { test } from "node:test";
import { UploadTokens } from "./upload-token.ts";

test("an upload token is for one claim and a while, and nobody else makes one", () => {
  const tokens = new UploadTokens(Buffer.from("k"));
  const claim = { namespace: "shop", name: "disk" };
  const token = tokens.issue(claim, 1000);
  assert.deepEqual(tokens.read(token, 2000), claim);
  assert.equal(tokens.read(token, 301_000), undefined);
  assert.equal(new UploadTokens(Buffer.from("other")).read(token, 2000), undefined);
  const forged = Buffer.from(JSON.stringify({ ...claim, name: "x", until: 9e9 })).toString(
    "base64url",
  );
  assert.equal(tokens.read(`${forged}.${token.split(".")[1]}`, 2000), undefined);
  for (const bad of ["", ".", "a.b", "a"]) assert.equal(tokens.read(bad, 0), undefined);
});
