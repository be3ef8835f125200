import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { freePodCidr, nodeIpam } from "./node-ipam.ts";

const nodes = resource("v1", "nodes");

test("ranges are given in order, and none twice", () => {
  assert.equal(freePodCidr("10.100.0.0/16", new Set()), "10.100.0.0/24");
  assert.equal(freePodCidr("10.100.0.0/16", new Set(["10.100.0.0/24"])), "10.100.1.0/24");
  const all = new Set(["10.1.0.0/24", "10.1.1.0/24"]);
  assert.equal(freePodCidr("10.1.0.0/23", all), undefined);
});

test("a node without a range gets one, and one that brings its own keeps it", async (t) => {
  const { client, scope, until } = await startControlled([nodeIpam(["10.100.0.0/16"])]);
  t.after(() => scope.close());
  const create = (name: string, podCIDR?: string) =>
    client.create(nodes, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name },
      spec: podCIDR ? { podCIDR, podCIDRs: [podCIDR] } : {},
    });
  await create("first", "10.100.0.0/24");
  await Promise.all(["a", "b", "c"].map((name) => create(name)));
  const all = await until(nodes, (found) => found.every(({ spec }) => spec?.podCIDR) && found);
  assert.deepEqual(all.map(({ spec }) => spec!.podCIDR).toSorted(), [
    "10.100.0.0/24",
    "10.100.1.0/24",
    "10.100.2.0/24",
    "10.100.3.0/24",
  ]);
});

test("in a cluster of two families a node has a range of each", async (t) => {
  const { client, scope, until } = await startControlled([
    nodeIpam(["10.100.0.0/16", "fd00:100::/56"]),
  ]);
  t.after(() => scope.close());
  for (const name of ["a", "b"]) {
    await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec: {} });
  }
  const all = await until(nodes, (found) => found.every(({ spec }) => spec?.podCIDR) && found);
  assert.deepEqual(all.map(({ spec }) => spec!.podCIDRs).toSorted(), [
    ["10.100.0.0/24", "fd00:100::/64"],
    ["10.100.1.0/24", "fd00:100:0:1::/64"],
  ]);
  assert.ok(all.every(({ spec }) => spec!.podCIDR === spec!.podCIDRs[0]));
});
