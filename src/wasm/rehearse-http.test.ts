import assert from "node:assert/strict";
import { test } from "node:test";
import { rehearseHttp } from "./rehearse-http.ts";

test("a rehearsal leaves no server and no connection behind", async () => {
  const open = () => process.getActiveResourcesInfo().filter((one) => /TCP/.test(one));
  const before = open();
  await rehearseHttp();
  assert.deepEqual(open(), before);
});
