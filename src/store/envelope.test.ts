import assert from "node:assert/strict";
import { test } from "node:test";
import { isSealed, keyIdOf, KeyMissing, KeyRing, newSiteKey } from "./envelope.ts";

const plain = Buffer.from('{"data":{"password":"swordfish"}}');

test("what is sealed is opened with its key, and shows nothing of what it holds", () => {
  const key = newSiteKey();
  const ring = new KeyRing([key]);
  const sealed = ring.seal(plain, 7);
  assert.ok(isSealed(sealed) && !isSealed(plain));
  assert.equal(keyIdOf(sealed), key.id);
  assert.ok(!Buffer.from(sealed).includes("swordfish"));
  assert.deepEqual(Buffer.from(ring.open(sealed, 7)), plain);
  assert.deepEqual(Buffer.from(new KeyRing([newSiteKey(), key]).open(sealed, 7)), plain);
  assert.notDeepEqual(ring.seal(plain, 7), sealed);
});

test("a changed value, one in the place of another, and one of a lost key are refused", () => {
  const ring = new KeyRing([newSiteKey()]);
  const sealed = ring.seal(plain, 7);
  assert.throws(() => ring.open(sealed, 8));
  for (const at of [1 + 8 + 20, sealed.length - 40, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    assert.throws(() => ring.open(changed, 7));
  }
  assert.throws(() => new KeyRing([newSiteKey()]).open(sealed, 7), KeyMissing);
});
