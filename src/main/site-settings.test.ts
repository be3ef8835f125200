import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { addressesOf, settle, slotCollides, slotsMax } from "./site-settings.ts";

test("no two slots share an address, a bridge or a table", () => {
  const seen = new Set<string>();
  for (let slot = 0; slot < slotsMax; slot++) {
    const { clusterCidr, serviceCidr, bridge } = addressesOf(slot);
    for (const name of [clusterCidr, serviceCidr, bridge]) {
      assert.ok(!seen.has(name), name);
      seen.add(name);
    }
  }
});

test("a slot whose subnet is routed elsewhere is passed over", () => {
  assert.equal(slotCollides(0, "10.100.0.0/24 dev eth0 scope link"), true);
  assert.equal(slotCollides(0, "10.100.0.0/24 dev kerb0 scope link"), false);
  assert.equal(slotCollides(1, "default via 10.0.2.2 dev eth0"), false);
});

test("settings are decided once and two sites never share a slot", (t) => {
  const base = mkdtempSync(join(tmpdir(), "kerb-settings-"));
  t.after(() => rmSync(base, { recursive: true }));
  const slots = join(base, "slots");
  const asked = { defaultPort: 6443, slots };
  const first = settle(join(base, "a"), { ...asked, name: "shop" });
  const second = settle(join(base, "b"), { ...asked, port: 7443 });
  assert.equal(first.isNew, true);
  assert.notEqual(first.settings.slot, second.settings.slot);
  const again = settle(join(base, "a"), asked);
  assert.deepEqual(again.settings, first.settings);
  assert.equal(again.isNew, false);
  assert.throws(() => settle(join(base, "a"), { ...asked, name: "other" }), /named shop/);
  rmSync(join(base, "b"), { recursive: true });
  const third = settle(join(base, "c"), asked);
  assert.equal(third.settings.slot, second.settings.slot, "the slot of a removed site is free");
});
