import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { directLink } from "./node-link.ts";
import { routesOf } from "./node-routes.ts";
import { vxlanLink } from "./vxlan.ts";

const node = (name: string, podCIDR: string | undefined, address: string | undefined) =>
  ({
    metadata: { name },
    spec: { podCIDR },
    status: { addresses: address ? [{ type: "InternalIP", address }] : [] },
  }) as unknown as KubeObject;

test("pods of other nodes are reached by their nodes' addresses", () => {
  const nodes = [
    node("me", "10.100.0.0/24", "192.168.0.1"),
    node("other", "10.100.1.0/24", "192.168.0.2"),
    node("new", undefined, "192.168.0.3"),
    node("silent", "10.100.3.0/24", undefined),
    node("alone", "10.100.4.0/24", "10.100.4.1"),
  ];
  const link = directLink("IPv4", async () => {});
  assert.deepEqual([...routesOf(nodes, "me", link)], [["10.100.1.0/24", "192.168.0.2"]]);
});

test("each family has routes of its own, over addresses of its own or the tunnel's", () => {
  const dual = (name: string, number: number, ...addresses: string[]) =>
    ({
      metadata: { name },
      spec: { podCIDRs: [`10.100.${number}.0/24`, `fd00:7:0:${number}::/64`] },
      status: { addresses: addresses.map((address) => ({ type: "InternalIP", address })) },
    }) as unknown as KubeObject;
  const nodes = [
    dual("me", 0, "192.168.0.1", "fd00:1::1"),
    dual("other", 1, "192.168.0.2", "fd00:1::2"),
    dual("old", 2, "192.168.0.3"),
    dual("alone", 3, "10.100.3.1", "fd00:7:0:3::1"),
  ];
  const link = directLink("IPv6", async () => {});
  assert.deepEqual([...routesOf(nodes, "me", link)], [["fd00:7:0:1::/64", "fd00:1::2"]]);
  const ranges = { clusterCidr: "fd00:7::/56", podCidr: "fd00:7::/64", gateway: "fd00:7::1" };
  const own = { name: "kerb0y", ...ranges, address: "192.168.0.1", mtu: 1500 };
  const tunnel = vxlanLink(own, async () => {});
  assert.deepEqual(
    [...routesOf(nodes, "me", tunnel)],
    [
      ["fd00:7:0:1::/64", "192.168.0.2"],
      ["fd00:7:0:2::/64", "192.168.0.3"],
    ],
  );
});
