import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { addressesIn } from "./site-addresses.ts";
import type { SiteSettings } from "./site-settings.ts";

const settings: SiteSettings = { format: 1, name: "shop", port: 6443, slot: 3 };
const ranges = { podCidrs: ["10.42.0.0/16"], serviceCidrs: ["10.43.0.0/16"] };

test("a site's addresses follow from its slot, or are those it chose", async () => {
  const of = (more: Partial<SiteSettings>) =>
    addressesIn({ dataDir: "/none" }, { ...settings, ...more }, new FakeClock());
  assert.equal((await of({})).podCidr, "10.103.0.0/24");
  const { podCidr, podNetwork, bridge } = await of({ ranges, podNetwork: "vxlan" });
  assert.deepEqual([podCidr, podNetwork, bridge], ["10.42.0.0/24", "vxlan", "kerb3"]);
});

test("a server on etcd with pods of its own has no ranges of its own choice", async () => {
  const shared = { ...settings, store: "etcd://127.0.0.1:1", ranges };
  const started = addressesIn({ dataDir: "/none" }, shared, new FakeClock());
  await assert.rejects(started, /start them with --no-node/);
});
