import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { freeRange, parseRange, rangeLength, UserNamespaces } from "./user-namespaces.ts";

const pods = mkdtempSync(join(tmpdir(), "user-namespaces-"));
after(() => rmSync(pods, { recursive: true, force: true }));

test("no two pods share users, none has the machine's, and what is given back is given again", () => {
  assert.equal(freeRange(new Set()), rangeLength);
  assert.equal(freeRange(new Set([1, 3].map((one) => one * rangeLength))), 2 * rangeLength);
  const all = new Set(Array.from({ length: 1024 }, (_, i) => (i + 1) * rangeLength));
  assert.throws(() => freeRange(all), /all 1024 ranges/);
});

test("a pod keeps its users over a restart, and until its folder is gone", async () => {
  const first = new UserNamespaces(pods);
  await first.take("a");
  await first.take("b");
  await first.take("b");
  const later = new UserNamespaces(pods);
  await later.load();
  assert.deepEqual([later.of("a"), later.of("b")], [rangeLength, 2 * rangeLength]);
  rmSync(join(pods, "a"), { recursive: true });
  later.release("a");
  await later.take("c");
  assert.equal(later.of("c"), rangeLength);
});

test("a file that says something else gives nobody the machine's users", async () => {
  for (const text of ["", "{", "{}", '{"hostId":0}', '{"hostId":70000}', '{"hostId":"65536"}']) {
    assert.equal(parseRange(text), undefined, text);
  }
  writeFileSync(join(pods, "b/user-namespace.json"), '{"hostId":0}');
  const broken = new UserNamespaces(pods);
  await broken.load();
  assert.equal(broken.of("b"), undefined);
});
