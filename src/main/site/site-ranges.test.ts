import assert from "node:assert/strict";
import { test } from "node:test";
import { familyAddresses, plainRange, rangesProblem, routeInTheWay } from "./site-ranges.ts";

const ranges = (pods: string, services: string) => ({
  podCidrs: pods.split(","),
  serviceCidrs: services.split(","),
});
const dual = ranges("10.42.0.0/16,fd00:42::/56", "10.43.0.0/16,fd00:43::/112");

test("a site's addresses are the first of its ranges, in both families", () => {
  assert.deepEqual(familyAddresses("10.42.0.0/16", "10.43.0.0/16"), {
    clusterCidr: "10.42.0.0/16",
    podCidr: "10.42.0.0/24",
    gateway: "10.42.0.1",
    serviceCidr: "10.43.0.0/16",
    apiServiceIp: "10.43.0.1",
    dnsServiceIp: "10.43.0.10",
  });
  const six = familyAddresses("fd00:42::/56", "fd00:43::/112");
  assert.deepEqual(
    [six.podCidr, six.gateway, six.apiServiceIp, six.dnsServiceIp],
    ["fd00:42::/64", "fd00:42::1", "fd00:43::1", "fd00:43::a"],
  );
  assert.equal(plainRange("10.42.3.4/16"), "10.42.0.0/16");
  assert.equal(plainRange("FD00:42:0:0::5/56"), "fd00:42::/56");
});

for (const [pods, services, expected] of [
  ["10.42.0.0/16,fd00:42::/56", "10.43.0.0/16,fd00:43::/112", undefined],
  ["fd00:42::/56,10.42.0.0/16", "fd00:43::/112,10.43.0.0/16", undefined],
  ["fd00:42::/48", "fd00:43::/64", undefined],
  ["10.42.0.0/24", "10.43.0.0/28", undefined],
  ["10.42.0.0/16,10.44.0.0/16", "10.43.0.0/16", /one of IPv4 and one of IPv6/],
  ["10.42.0.0/16,fd00:42::/56", "10.43.0.0/16", /IPv4,IPv6.*IPv4.*same families/],
  ["10.42.0.0/16,fd00:42::/56", "fd00:43::/112,10.43.0.0/16", /same order/],
  ["10.42.0.0/25", "10.43.0.0/16", /too small: each node gets a \/24/],
  ["fd00:42::/80", "fd00:43::/112", /too small: each node gets a \/64/],
  ["fd00::/40", "fd01::/112", /too big: at most a \/48/],
  ["10.42.0.0/16", "10.43.0.0/29", /must be between a \/12 and a \/28/],
  ["fd00:42::/56", "fd00:43::/48", /must be between a \/64 and a \/124/],
  ["10.42.0.0/16", "10.42.128.0/20", /overlap/],
] as const) {
  test(`pods in ${pods} and Services in ${services} ${expected ? "are refused" : "are taken"}`, () => {
    const problem = rangesProblem(ranges(pods, services));
    if (expected) assert.match(problem ?? "", expected);
    else assert.equal(problem, undefined);
  });
}

test("a route of the machine into the ranges is in the way, one to everything is not", () => {
  const inTheWay = (route: string) => routeInTheWay(dual, route) !== undefined;
  for (const route of [
    "10.42.7.0/24 dev eth1 proto kernel scope link src 10.42.7.3 ",
    "local fd00:43::5 dev lo table local proto kernel metric 0 pref medium",
    "10.0.0.0/8 via 192.0.2.1 dev eth0 ",
    "blackhole fd00:42::/32 dev lo metric 1024 ",
  ]) {
    assert.ok(inTheWay(route), route);
  }
  for (const route of [
    "default via 192.0.2.1 dev eth0 ",
    "0.0.0.0/1 via 192.0.2.1 dev tun0 ",
    "fe80::/64 dev eth0 proto kernel metric 256 pref medium",
    "multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium",
    "fd00:1::/64 dev eth0 proto kernel metric 256 pref medium",
  ]) {
    assert.ok(!inTheWay(route), route);
  }
});
