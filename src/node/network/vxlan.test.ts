import assert from "node:assert/strict";
import { test } from "node:test";
import { macOf, vniOf, vxlanLink, vxlanName } from "./vxlan.ts";

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
  assert.match(calls[1]!, /type vxlan id 680960 local 192\.168\.0\.1 dstport 8472/);
  assert.equal(calls.at(-1), "ip link set kerb0x mtu 1450 up");
  calls.length = 0;
  await link.add("10.100.1.0/24", "192.168.9.2");
  assert.deepEqual(calls, [
    "bridge fdb replace 0a:4b:0a:64:01:00 dev kerb0x dst 192.168.9.2 self permanent",
    "ip neighbor replace 10.100.1.0 lladdr 0a:4b:0a:64:01:00 dev kerb0x nud permanent",
    "ip route replace 10.100.1.0/24 via 10.100.1.0 dev kerb0x onlink src 10.100.0.1",
  ]);
});

test("pods of IPv6 have a tunnel beside that of the others", async () => {
  assert.match(macOf("fd00:7:0:1::/64"), /^0a:4b(:[\da-f]{2}){4}$/);
  assert.notEqual(macOf("fd00:7:0:1::/64"), macOf("fd00:7:0:2::/64"));
  assert.equal(vniOf("fd00:7::/56") >> 16, 0xfd);
  assert.notEqual(vxlanName("kerb0", "IPv4"), vxlanName("kerb0", "IPv6"));
  const calls: string[] = [];
  const ranges = { clusterCidr: "fd00:7::/56", podCidr: "fd00:7::/64", gateway: "fd00:7::1" };
  const link = vxlanLink(
    { name: "kerb0y", ...ranges, address: "fd00:1::1", mtu: 1500 },
    async (command, args) => void calls.push([command, ...args].join(" ")),
  );
  await link.open();
  assert.match(calls[1]!, /type vxlan id \d+ local fd00:1::1 /);
  assert.equal(calls.at(-1), "ip link set kerb0y mtu 1430 up");
  assert.equal(calls[2], "ip address replace fd00:7::/128 dev kerb0y nodad");
  await link.add("fd00:7:0:1::/64", "fd00:1::2");
  assert.equal(
    calls.at(-1),
    "ip route replace fd00:7:0:1::/64 via fd00:7:0:1:: dev kerb0y onlink src fd00:7::1",
  );
});

const own = {
  name: "kerb0x",
  clusterCidr: "10.100.0.0/16",
  podCidr: "10.100.0.0/24",
  gateway: "10.100.0.1",
  address: "192.168.0.1",
  mtu: 1500,
};
const info = { id: 680960, local: "192.168.0.1", port: 8472, learning: false };
const tunnel = (change: object = {}) => ({
  address: "0a:4b:0a:64:00:00",
  linkinfo: { info_data: { ...info, ...change } },
});

/** A machine with this tunnel, and a route through it of an earlier process. */
function machine(shown: object) {
  const calls: string[] = [];
  const run = async (command: string, args: string[]) => {
    if (!args.includes("-json")) return void calls.push([command, ...args].join(" "));
    if (args.includes("link")) return JSON.stringify([shown]);
    if (args.includes("fdb")) {
      return JSON.stringify([{ mac: "0a:4b:0a:64:01:00", dst: "192.168.9.2" }]);
    }
    return JSON.stringify([
      { dst: "10.100.1.0/24", gateway: "10.100.1.0" },
      { dst: "10.100.3.0/24", gateway: "10.100.3.0" },
      { dst: "10.100.0.7", gateway: "10.100.1.0" },
    ]);
  };
  return { calls, link: vxlanLink(own, run) };
}

test("a tunnel that ends where it should stays, with what goes through it", async () => {
  const { calls, link } = machine(tunnel());
  await link.open();
  assert.deepEqual(
    calls.filter((one) => /link (add|delete)/.test(one)),
    [],
  );
  assert.deepEqual(
    [...(await link.made!())],
    [
      ["10.100.1.0/24", "192.168.9.2"],
      ["10.100.3.0/24", ""],
    ],
  );
});

test("a tunnel with another end is made anew", async () => {
  const others = [
    { ...tunnel(), address: "0a:4b:0a:64:05:00" },
    tunnel({ local: "192.168.0.9" }),
    tunnel({ id: 7 }),
    tunnel({ port: 4789 }),
    tunnel({ learning: true }),
    {},
  ];
  for (const other of others) {
    const { calls, link } = machine(other);
    await link.open();
    assert.equal(calls[0], "ip link delete kerb0x");
    assert.match(calls[1]!, /^ip link add kerb0x /);
  }
});

test("a tunnel that somebody took away is made again", async () => {
  const calls: string[] = [];
  const link = vxlanLink(own, async (command, args) => {
    if (args.includes("route")) throw new Error("Cannot find device");
    calls.push([command, ...args].join(" "));
    return "";
  });
  assert.equal((await link.made!()).size, 0);
  assert.ok(calls.some((one) => one.startsWith("ip link add kerb0x")));
});
