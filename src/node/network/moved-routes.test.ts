import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { movedMetadata } from "../../lib/moved-address.ts";
import { Scope } from "../../lib/scope.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { directLink } from "./direct-link.ts";
import { movedRoutes, startMovedRoutes } from "./moved-routes.ts";

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

const informerOf = (list: KubeObject[]) =>
  ({
    synced: async () => {},
    list: () => list,
    subscribe: () => () => {},
  }) as unknown as Informer;

test("a route that the kernel forgot with its interface is made again, and one that stands is left alone", async () => {
  const standing = new Set<string>();
  const made: string[] = [];
  const [clock, scope] = [new FakeClock(), new Scope()];
  const leases = mkdtempSync(join(tmpdir(), "kerb-moved-"));
  startMovedRoutes({
    addresses: informerOf([
      moved("10.100.0.7", "second", "10.100.1.3"),
      moved("10.100.0.8", "second", "10.100.1.4"),
    ]),
    nodes: informerOf(nodes),
    nodeName: "first",
    podCidr: "10.100.0.0/24",
    clusterCidr: "10.100.0.0/16",
    ...{ link, leases, clock, scope, log: silent },
    run: async (_, args) => {
      const isList = args.includes("proto") && args.includes("show");
      return isList ? JSON.stringify([...standing].map((dst) => ({ dst }))) : "[]";
    },
    batch: async (lines) => {
      for (const [, address] of lines.join("\n").matchAll(/route replace (\S+)\/32/g)) {
        made.push(address!);
        standing.add(address!);
      }
    },
  });
  await eventually(async () => made.length === 2, "both routes");
  standing.delete("10.100.0.8");
  await clock.advance(10_000);
  await eventually(async () => standing.has("10.100.0.8"), "the route again");
  await scope.close();
  assert.deepEqual(made, ["10.100.0.7", "10.100.0.8", "10.100.0.8"]);
  rmSync(leases, { recursive: true });
});

test("the way to a guest that came back is there before what it left behind goes", async () => {
  const did: string[] = [];
  const [clock, scope] = [new FakeClock(), new Scope()];
  const leases = mkdtempSync(join(tmpdir(), "kerb-moved-"));
  const addresses = [moved("10.100.0.7", "second", "10.100.1.3")];
  startMovedRoutes({
    addresses: informerOf(addresses),
    nodes: informerOf(nodes),
    nodeName: "first",
    podCidr: "10.100.0.0/24",
    clusterCidr: "10.100.0.0/16",
    ...{ link, leases, clock, scope, log: silent },
    run: async (_, args) => {
      if (args.includes("delete")) did.push(args.slice(0, 2).join(" "));
      if (args.includes("proto")) return JSON.stringify([{ dst: "10.100.0.7" }]);
      return args.includes("get") ? '[{"dev":"veth1"}]' : '[{"dev":"veth0"}]';
    },
    batch: async (lines) => did.push(...lines.map((line) => line.split(" via")[0]!)),
  });
  const towards = "route replace 10.100.0.7/32";
  await eventually(async () => did.includes(towards), "the way to where it went");
  did.length = 0;
  addresses[0] = moved("10.100.0.7", "first", "10.100.0.9");
  await clock.advance(10_000);
  await eventually(async () => did.length === 3, "the way back");
  await scope.close();
  assert.deepEqual(did, [towards, "rule delete", "route delete"]);
  rmSync(leases, { recursive: true });
});
