import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  addressesOf,
  isOthersSlot,
  settle,
  slotCollides,
  slotsMax,
  unsettle,
} from "./site-settings.ts";

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

test("a site's folder is its owner's alone, and one that holds other things is left alone", (t) => {
  const base = mkdtempSync(join(tmpdir(), "kerb-settings-"));
  t.after(() => rmSync(base, { recursive: true }));
  const asked = { defaultPort: 6443, slots: join(base, "slots") };
  const site = join(base, "a");
  mkdirSync(site);
  chmodSync(site, 0o755);
  for (let start = 1; start <= 2; start++) {
    settle(site, asked);
    assert.equal(statSync(site).mode & 0o777, 0o700);
    chmodSync(site, 0o755);
  }
  const disk = join(base, "disk");
  mkdirSync(join(disk, "lost+found"), { recursive: true });
  chmodSync(disk, 0o755);
  settle(disk, asked);
  assert.equal(statSync(disk).mode & 0o777, 0o700, "where a new disk is mounted");
  const other = join(base, "b");
  mkdirSync(other);
  writeFileSync(join(other, "thesis.txt"), "");
  chmodSync(other, 0o755);
  assert.throws(() => settle(other, asked), /open to others and holds other files.*chmod 700/);
  assert.equal(statSync(other).mode & 0o777, 0o755);
});

test("a site that claimed its slot a moment ago keeps it, and one that could not be made gives it back", (t) => {
  const base = mkdtempSync(join(tmpdir(), "kerb-settings-"));
  t.after(() => rmSync(base, { recursive: true }));
  const asked = { defaultPort: 6443, slots: join(base, "slots") };
  const { slot } = settle(join(base, "a"), asked).settings;
  // As it stands between the claim and what is written then.
  rmSync(join(base, "a/site.json"));
  const other = settle(join(base, "b"), asked).settings;
  assert.notEqual(other.slot, slot);
  assert.equal(settle(join(base, "a"), asked).settings.slot, slot);
  const check = () => {
    throw new Error("not here");
  };
  const ranges = { podCidrs: ["10.42.0.0/16"] };
  assert.throws(() => settle(join(base, "c"), { ...asked, ranges, check }), /not here/);
  assert.deepEqual(readdirSync(asked.slots).map(Number).sort(), [slot, other.slot].sort());
});

test("what another site has by now is not taken away with a site", (t) => {
  const base = mkdtempSync(join(tmpdir(), "kerb-slots-"));
  t.after(() => rmSync(base, { recursive: true }));
  const [slots, directory] = [join(base, "slots"), join(base, "site")];
  const { slot } = settle(directory, { defaultPort: 6443, slots }).settings;
  assert.equal(isOthersSlot(slots, directory, slot), false);
  assert.equal(isOthersSlot(slots, join(base, "old"), slot), true);
  symlinkSync(directory, join(base, "alias"));
  assert.equal(isOthersSlot(slots, join(base, "alias"), slot), false);
  unsettle(directory, slots);
  assert.equal(isOthersSlot(slots, directory, slot), false);
  assert.deepEqual(readdirSync(slots), []);
});

test("ranges are chosen when a site is made, and never change", (t) => {
  const base = mkdtempSync(join(tmpdir(), "kerb-settings-"));
  t.after(() => rmSync(base, { recursive: true }));
  const asked = { defaultPort: 6443, slots: undefined };
  const ranges = {
    podCidrs: ["10.42.0.0/16", "fd00:42::/56"],
    serviceCidrs: ["10.43.0.0/16", "fd00:43::/112"],
  };
  const { settings } = settle(join(base, "a"), { ...asked, ranges });
  assert.deepEqual(settings.ranges, ranges);
  assert.equal(addressesOf(0, settings.ranges).second?.gateway, "fd00:42::1");
  assert.deepEqual(settle(join(base, "a"), asked).settings, settings);
  assert.deepEqual(settle(join(base, "a"), { ...asked, ranges }).settings, settings);
  const others = { ...ranges, podCidrs: ["10.44.0.0/16", "fd00:44::/56"] };
  assert.throws(() => settle(join(base, "a"), { ...asked, ranges: others }), /cannot change/);
  const plain = settle(join(base, "b"), asked).settings;
  assert.equal("ranges" in plain, false);
  assert.throws(() => settle(join(base, "b"), { ...asked, ranges }), /cannot change/);
  const mixed = { podCidrs: ranges.podCidrs };
  assert.throws(() => settle(join(base, "c"), { ...asked, ranges: mixed }), /same families/);
});
