import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { openPki } from "../../server/auth/pki.ts";
import { isOfPrevious, shareAuthority } from "./trust.ts";

async function rotated() {
  const files = new Map<string, string>();
  const storage = {
    read: async (name: string) => files.get(name),
    write: async (name: string, data: string) => void files.set(name, data),
  };
  const pki = await openPki(storage, { clock: new FakeClock(), names: [] });
  const cert = pki.admin().cert;
  const seen = [pki.ca()];
  for (let phase = 0; phase < 3; phase++) {
    await pki.advance();
    seen.push(pki.ca());
  }
  return { seen, cert, renewed: pki.admin().cert };
}

test("a hub whose authorities change one by one stays the same hub", async () => {
  const { seen } = await rotated();
  for (let i = 1; i < seen.length; i++) assert.ok(shareAuthority(seen[i - 1], seen[i]));
  assert.ok(!shareAuthority(seen[0], seen[3]));
  assert.ok(shareAuthority(undefined, undefined));
});

test("a certificate is asked for anew once the hub signs by another authority, and not before", async () => {
  const { seen, cert, renewed } = await rotated();
  assert.deepEqual(
    seen.map((ca) => isOfPrevious(cert, ca)),
    [false, false, true, false],
  );
  assert.ok(!isOfPrevious(renewed, seen[2]));
});
