import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { movedMetadata } from "../../lib/moved-address.ts";
import { directLink } from "./direct-link.ts";
import { movedRoutes } from "./moved-routes.ts";

const node = (name: string, podCIDR: string, address: string) =>
  ({
    metadata: { name },
    spec: { podCIDR },
    status: { addresses: [{ type: "InternalIP", address }] },
  }) as unknown as KubeObject;

const link = directLink("10.100.0.0/16", async () => {});
const nodes = [
  node("first", "10.100.0.0/24", "192.168.0.1"),
  node("second", "10.100.1.0/24", "192.168.0.2"),
];
const moved = (address: string, to: string, through: string) =>
  ({
    metadata: movedMetadata({ address, node: to, podUid: "u", through }),
  }) as unknown as KubeObject;
const on = (nodeName: string, podCidr: string, addresses: KubeObject[]) => [
  ...movedRoutes({ addresses, nodes, nodeName, podCidr, link }),
];

test("an address that moved lies behind its new pod's, and behind that node for all others", () => {
  const addresses = [moved("10.100.0.7", "second", "10.100.1.3")];
  const node = { cidr: "10.100.1.0/24", address: "192.168.0.2" };
  assert.deepEqual(on("first", "10.100.0.0/24", addresses), [
    ["10.100.0.7", { node, from: "10.100.1.3", isOwn: true }],
  ]);
  assert.deepEqual(on("second", "10.100.1.0/24", addresses), [
    ["10.100.0.7", { through: "10.100.1.3", isOwn: false }],
  ]);
});

test("an address that came home stays behind its new pod's", () => {
  assert.deepEqual(on("first", "10.100.0.0/24", [moved("10.100.0.7", "first", "10.100.0.9")]), [
    ["10.100.0.7", { through: "10.100.0.9", isOwn: true }],
  ]);
});

test("an address at a node that nobody knows leads nowhere", () => {
  assert.deepEqual(on("first", "10.100.0.0/24", [moved("10.100.0.7", "third", "10.100.2.3")]), []);
});
