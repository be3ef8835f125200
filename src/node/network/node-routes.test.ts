import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { routesOf } from "./node-routes.ts";

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
  assert.deepEqual([...routesOf(nodes, "me")], [["10.100.1.0/24", "192.168.0.2"]]);
});
