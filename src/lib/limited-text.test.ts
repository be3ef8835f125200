import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { limitedText } from "./limited-text.ts";

test("an answer without an end is read no further than its limit", async () => {
  let sent = 0;
  const endless = new Readable({
    read() {
      sent += 1000;
      this.push(Buffer.alloc(1000, "a"));
    },
  });
  await assert.rejects(limitedText(endless, 50_000), /longer than 50000 bytes/);
  assert.ok(endless.destroyed);
  assert.ok(sent < 200_000, String(sent));
  assert.equal(await limitedText(Readable.from([Buffer.from("{}")]), 2), "{}");
});
