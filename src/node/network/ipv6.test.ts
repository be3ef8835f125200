import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv6Problem, toldLinks } from "./ipv6.ts";
import { cniConflist } from "./site-network.ts";

const on = { all: "0", default: "0" };

test("a machine without IPv6, or with IPv6 switched off, says so and what to do", () => {
  assert.equal(ipv6Problem({ isThere: true, disabled: on }), undefined);
  assert.match(ipv6Problem({ isThere: false, disabled: on })!, /no IPv6/);
  const off = { isThere: true, disabled: { ...on, all: "1" } };
  assert.match(ipv6Problem(off)!, /sysctl -w net\.ipv6\.conf\.all\.disable_ipv6=0/);
  const later = { isThere: true, disabled: { ...on, default: "1" } };
  assert.match(ipv6Problem(later)!, /net\.ipv6\.conf\.default\.disable_ipv6 is 1/);
});

test("the links that a router told of are those that must go on listening to it", () => {
  const routes = [
    "2001:db8::/64 dev eth0 proto ra metric 100 expires 86391sec pref medium",
    "fe80::/64 dev eth1 proto kernel metric 256 pref medium",
    "default via fe80::1 dev eth0 proto ra metric 100 expires 1791sec pref high",
    "default via fe80::2 dev wlan0 proto ra metric 600 pref medium",
  ];
  assert.deepEqual(toldLinks(routes.join("\n")), ["eth0", "wlan0"]);
});

test("pods of two families get an address of each, at once; those of IPv4 are as ever", () => {
  const conflist = (...podCidrs: string[]) =>
    cniConflist({ name: "kerb0", podCidrs, addresses: "host-local", dataDirectory: "/d" })
      .plugins as any[];
  const [ptp, ...rest] = conflist("10.100.0.0/24");
  assert.deepEqual(rest, []);
  assert.deepEqual(ptp.ipam.ranges, [[{ subnet: "10.100.0.0/24" }]]);
  assert.deepEqual(ptp.ipam.routes, [{ dst: "0.0.0.0/0" }]);
  const dual = conflist("fd00:100::/64", "10.100.0.0/24");
  assert.deepEqual(
    dual.map(({ type }) => type),
    ["loopback", "tuning", "ptp"],
  );
  assert.deepEqual(dual[2].ipam.ranges, [
    [{ subnet: "fd00:100::/64" }],
    [{ subnet: "10.100.0.0/24" }],
  ]);
  assert.deepEqual(dual[2].ipam.routes, [{ dst: "::/0" }, { dst: "0.0.0.0/0" }]);
});
