import assert from "node:assert/strict";
import { test } from "node:test";
import { macOf, vniOf, vxlanLink } from "./vxlan.ts";

test("where a tunnel ends follows from the pods that are there", () => {
  assert.equal(macOf("10.100.1.0/24"), "0a:4b:0a:64:01:00");
  assert.notEqual(vniOf("10.100.0.0/16"), vniOf("10.101.0.0/16"));
  assert.ok(vniOf("10.149.0.0/16") < 2 ** 24);
});

test("a machine's pods are reached through the tunnel to its address", async () => {
  const calls: string[] = [];
  const link = vxlanLink(
    {
      name: "kerb0x",
      clusterCidr: "10.100.0.0/16",
      podCidr: "10.100.0.0/24",
      gateway: "10.100.0.1",
      address: "192.168.0.1",
      mtu: 1500,
    },
    async (command, args) => void calls.push([command, ...args].join(" ")),
  );
  await link.open();
  assert.match(calls[1]!, /mtu 1450 type vxlan id 680960 local 192\.168\.0\.1 dstport 8472/);
  calls.length = 0;
  await link.add("10.100.1.0/24", "192.168.9.2");
  assert.deepEqual(calls, [
    "bridge fdb replace 0a:4b:0a:64:01:00 dev kerb0x dst 192.168.9.2 self permanent",
    "ip neighbor replace 10.100.1.0 lladdr 0a:4b:0a:64:01:00 dev kerb0x nud permanent",
    "ip route replace 10.100.1.0/24 via 10.100.1.0 dev kerb0x onlink src 10.100.0.1",
  ]);
});
