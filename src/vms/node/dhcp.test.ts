import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lease } from "../prepare/network-plan.ts";
import { dhcpAnswer } from "./dhcp.ts";

const lease: Lease = {
  device: "tap0",
  server: "10.0.2.1",
  mac: "02:00:00:00:00:07",
  address: "10.0.2.2",
  prefix: 24,
  router: "10.0.2.1",
  mtu: 1460,
  dns: ["10.96.0.10"],
  searches: ["default.svc.cluster.local", "cluster.local"],
  hostname: "shop",
};

function request(kind: number, more: [number, number[]][] = [], mac = lease.mac): Buffer {
  const head = Buffer.alloc(240);
  head[0] = 1;
  head.writeUInt32BE(0xabcdef01, 4);
  Buffer.from(mac.replaceAll(":", ""), "hex").copy(head, 28);
  Buffer.from([99, 130, 83, 99]).copy(head, 236);
  const options = [[53, [kind]] as const, ...more].flatMap(([code, value]) => [
    code,
    value.length,
    ...value,
  ]);
  return Buffer.concat([head, Buffer.from([...options, 255])]);
}

/** Options by their number. */
function read(message: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 240; message[at] !== 255; at += 2 + message[at + 1]!) {
    found.set(message[at]!, message.subarray(at + 2, at + 2 + message[at + 1]!));
  }
  return found;
}

test("a guest is offered its one address, and all it needs to use it", () => {
  const { message, to } = dhcpAnswer(request(1), lease)!;
  assert.equal(to, "255.255.255.255");
  assert.deepEqual([...message.subarray(16, 20)], [10, 0, 2, 2]);
  assert.equal(message.readUInt32BE(4), 0xabcdef01);
  const options = read(message);
  assert.deepEqual([...options.get(53)!], [2]);
  assert.deepEqual([...options.get(1)!], [255, 255, 255, 0]);
  assert.deepEqual([...options.get(3)!], [10, 0, 2, 1]);
  assert.deepEqual([...options.get(6)!], [10, 96, 0, 10]);
  assert.equal(options.get(12)!.toString(), "shop");
  assert.equal(options.get(26)!.readUInt16BE(), 1460);
  assert.equal(options.get(51)!.readUInt32BE(), 0xffffffff);
  assert.match(options.get(119)!.toString(), /default.svc.cluster/s);
});

test("a guest that asks for its address has it; one that asks for another is told no", () => {
  const kind = (more: [number, number[]][]) =>
    read(dhcpAnswer(request(3, more), lease)!.message).get(53)![0];
  assert.equal(kind([[50, [10, 0, 2, 2]]]), 5);
  assert.equal(kind([[50, [10, 9, 9, 9]]]), 6);
});

test("nobody else is answered, and nonsense is not", () => {
  assert.equal(dhcpAnswer(request(1, [], "02:00:00:00:00:08"), lease), undefined);
  assert.equal(dhcpAnswer(request(3, [[54, [10, 0, 2, 9]]]), lease), undefined);
  assert.equal(dhcpAnswer(request(7), lease), undefined);
  assert.equal(dhcpAnswer(Buffer.alloc(20), lease), undefined);
  const cut = request(1).subarray(0, 241);
  assert.equal(dhcpAnswer(cut, lease), undefined);
});
