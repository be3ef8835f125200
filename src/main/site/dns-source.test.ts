import assert from "node:assert/strict";
import { test } from "node:test";
import { nameServers, upstreamsOf } from "./dns-source.ts";

test("the machine's name servers of IPv6 are asked where it has no others", () => {
  const both = "nameserver 2001:db8::53\nsearch lan\n nameserver 192.0.2.53\n";
  assert.deepEqual(nameServers(both), ["192.0.2.53"]);
  assert.deepEqual(nameServers("nameserver 2001:db8::53\nnameserver fe80::1%eth0\n"), [
    "2001:db8::53",
    "fe80::1%eth0",
  ]);
  assert.deepEqual(nameServers("nameserver\nnameserver here\n"), []);
});

test("servers of either family may be named for a domain; what is none is left out", () => {
  const servers = ["192.0.2.1:5353", "2001:db8::1", "[2001:db8::2]:5353", "[192.0.2.1]", "x", 7];
  const config = {
    data: {
      stubDomains: JSON.stringify({ "Corp.Example.": servers }),
      upstreamNameservers: '["2001:db8::9"]',
    },
  } as never;
  const { servers: usual, stubs } = upstreamsOf(config, ["192.0.2.53"]);
  assert.deepEqual(usual, ["2001:db8::9"]);
  assert.deepEqual(stubs.get("corp.example"), [
    "192.0.2.1:5353",
    "2001:db8::1",
    "[2001:db8::2]:5353",
  ]);
  assert.deepEqual(upstreamsOf(undefined, ["192.0.2.53"]).servers, ["192.0.2.53"]);
});
