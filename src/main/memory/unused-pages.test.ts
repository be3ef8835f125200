import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { unwrittenMappings } from "./unused-pages.ts";

const node = "/usr/bin/node";

const mapping = (mode: string, path: string, anonymousKiB: number) => `
00400000-00500000 ${mode} 00000000 fe:00 1234      ${path}
Size:               1024 kB
Rss:                 512 kB
Anonymous:     ${String(anonymousKiB).padStart(9)} kB
AnonHugePages:         0 kB
VmFlags: rd mr mw me
`;

const cases = [
  { what: "code", of: mapping("r-xp", node, 0), given: true },
  { what: "constants", of: mapping("r--p", node, 0), given: true },
  {
    what: "what the loader wrote before it was read-only",
    of: mapping("r--p", node, 24),
    given: false,
  },
  { what: "variables", of: mapping("rw-p", node, 0), given: false },
  { what: "code of the C library", of: mapping("r-xp", "/usr/lib/libc.so.6", 0), given: true },
  {
    what: "a library of a release",
    of: mapping("r-xp", "/lib/libstdc++.so.6.0.30", 0),
    given: true,
  },
  { what: "what was loaded later", of: mapping("r-xp", "/lib/libnss_dns.so.2", 0), given: false },
  {
    what: "a file whose name begins so",
    of: mapping("r-xp", `${node} (deleted)`, 0),
    given: false,
  },
  { what: "memory of no file", of: mapping("r-xp", "", 0), given: false },
  { what: "memory shared with others", of: mapping("r--s", node, 0), given: false },
];

for (const { what, of, given } of cases) {
  test(`${what} ${given ? "may be given back" : "stays"}`, () => {
    const expected = given ? [{ from: 0x400000n, bytes: 0x100000n }] : [];
    assert.deepEqual(unwrittenMappings(of, node), expected);
  });
}

test("a process that gave its unused pages back goes on, and is smaller", () => {
  const script = `
    const { giveBackUnusedPages } = await import(${JSON.stringify(import.meta.resolve("./unused-pages.ts"))});
    const { gzipSync, gunzipSync } = await import("node:zlib");
    const text = "kerb".repeat(100_000);
    gunzipSync(gzipSync(text));
    const before = process.memoryUsage.rss();
    await giveBackUnusedPages();
    const after = process.memoryUsage.rss();
    if (gunzipSync(gzipSync(text)).toString() !== text) throw new Error("another text");
    console.log(JSON.stringify({ before, after }));`;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const { before, after } = JSON.parse(stdout);
  assert.ok(after < before, `${before} before, ${after} after`);
});
