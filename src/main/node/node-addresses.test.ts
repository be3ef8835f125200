import assert from "node:assert/strict";
import { test } from "node:test";
import { joinedAddresses, siteAddresses } from "./node-addresses.ts";
import { addressesOf } from "../site/site-settings.ts";

const ipv4 = addressesOf(0);
const dual = addressesOf(0, {
  podCidrs: ["10.42.0.0/16", "fd00:42::/56"],
  serviceCidrs: ["10.43.0.0/16", "fd00:43::/112"],
});
const ipv6First = addressesOf(0, {
  podCidrs: ["fd00:42::/56", "10.42.0.0/16"],
  serviceCidrs: ["fd00:43::/112", "10.43.0.0/16"],
});
const beside = (address: string) =>
  ({ "192.168.0.1": "fd00:1::1", "fd00:1::1": "192.168.0.1" })[address];

test("a site's machine has an address of each family, its own first", () => {
  assert.deepEqual(siteAddresses(ipv4, [], beside), ["10.100.0.1"]);
  assert.deepEqual(siteAddresses(ipv4, ["192.168.0.1"], beside), ["192.168.0.1"]);
  assert.deepEqual(siteAddresses(dual, [], beside), ["10.42.0.1", "fd00:42::1"]);
  assert.deepEqual(siteAddresses(dual, ["192.168.0.1"], beside), ["192.168.0.1", "fd00:1::1"]);
  assert.deepEqual(siteAddresses(ipv6First, ["192.168.0.1"], beside), ["fd00:1::1", "192.168.0.1"]);
  assert.deepEqual(siteAddresses(dual, ["192.168.0.9"], beside), ["192.168.0.9"]);
  assert.deepEqual(siteAddresses(dual, ["fd00:1::9"], beside), ["10.42.0.1", "fd00:1::9"]);
});

test("a machine that joined has what its link has", () => {
  assert.deepEqual(joinedAddresses(ipv4, "192.168.0.1", beside), ["192.168.0.1"]);
  assert.deepEqual(joinedAddresses(dual, "fd00:1::1", beside), ["192.168.0.1", "fd00:1::1"]);
  assert.deepEqual(joinedAddresses(dual, "192.168.0.9", beside), ["192.168.0.9"]);
});
