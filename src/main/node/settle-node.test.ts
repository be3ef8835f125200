import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { systemRandom as random } from "../../lib/random.ts";
import { settle } from "../site/site-settings.ts";
import { settleNode } from "./settle-node.ts";

/** A port on which nobody listens any more. */
async function silentServer(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `https://127.0.0.1:${port}`;
}

function place() {
  const parent = mkdtempSync(join(tmpdir(), "kerb-settle-"));
  const [directory, slots] = [join(parent, "node"), join(parent, "slots")];
  return { directory, slots, defaultPort: 6443, clock: new FakeClock(), random };
}
const left = ({ directory, slots }: ReturnType<typeof place>) => [
  ...(existsSync(directory) ? [directory, ...readdirSync(directory)] : []),
  ...(existsSync(slots) ? readdirSync(slots).map(() => "a slot") : []),
];

const words = async () => ({ server: await silentServer(), token: "a.b", caHash: "sha256:0" });

const cases = [
  { what: "without a server", words: async () => ({}), why: /which site\?/ },
  {
    what: "without a token",
    words: async () => ({ server: "https://127.0.0.1:1" }),
    why: /--token \(or --token-file\) and --ca-hash are needed/,
  },
  { what: "at a server that does not answer", words, why: /ECONNREFUSED/ },
];

for (const { what, words: said, why } of cases) {
  test(`a machine that joins ${what} is told so, and nothing is decided`, async () => {
    const where = place();
    await assert.rejects(settleNode({ name: "shop", ...(await said()) }, where), why);
    assert.deepEqual(left(where), []);
    await assert.rejects(settleNode({ name: "other", ...(await words()) }, where), /ECONNREFUSED/);
  });
}

test("what a power cut left of a first try keeps nobody from a second one", async () => {
  const where = place();
  settle(where.directory, { ...where, server: "https://127.0.0.1:1", name: "typo" });
  await assert.rejects(settleNode({ name: "shop", ...(await words()) }, where), /ECONNREFUSED/);
  assert.deepEqual(left(where), []);
});

test("a folder with a site of its own stays as it is", async () => {
  const where = place();
  settle(where.directory, { ...where, name: "own" });
  await assert.rejects(settleNode({}, where), /a site of its own; start it with: kerb up/);
  await assert.rejects(settleNode(await words(), where), /a node needs another --data-dir/);
  assert.deepEqual(left(where), [where.directory, "site.json", "a slot"]);
});

test("a node that was up stays settled when its identity is lost, and what else lies there stays too", async () => {
  const where = place();
  mkdirSync(where.directory, { mode: 0o700 });
  writeFileSync(join(where.directory, "notes"), "");
  await assert.rejects(settleNode(await words(), where), /ECONNREFUSED/);
  assert.deepEqual(left(where), [where.directory, "notes"]);
  settle(where.directory, { ...where, server: "https://127.0.0.1:1", name: "shop" });
  writeFileSync(join(where.directory, "addresses.json"), "{}");
  await assert.rejects(settleNode(await words(), where), /ECONNREFUSED/);
  assert.deepEqual(left(where), [
    where.directory,
    "addresses.json",
    "notes",
    "site.json",
    "a slot",
  ]);
});
