import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEtcdAddress } from "./address.ts";

test("an etcd is named by its members, a prefix and the files of its TLS", () => {
  assert.deepEqual(parseEtcdAddress("etcd://10.0.0.1:2379,db-2,[::1]:4001/shops/7"), {
    endpoints: ["10.0.0.1:2379", "db-2:2379", "[::1]:4001"],
    prefix: "/shops/7/",
  });
  assert.deepEqual(parseEtcdAddress("etcds://a?cacert=/ca.pem&cert=/c.pem&key=/k.pem"), {
    endpoints: ["a:2379"],
    prefix: "/kerb/",
    tls: { cacert: "/ca.pem", cert: "/c.pem", key: "/k.pem" },
  });
});

test("an address that cannot be read says how one is written", () => {
  for (const wrong of [
    "http://a:2379",
    "etcd://",
    "etcd://a:0",
    "etcd://a:2379?cacert=x",
    "etcds://a?ca=x",
    "etcds://a?cert=x",
    "etcd://a b",
  ]) {
    assert.throws(() => parseEtcdAddress(wrong), /--store: /, wrong);
  }
});
