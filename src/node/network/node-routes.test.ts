import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import type { Informer } from "../../client/informer.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { directLink, removeDirectRoutes } from "./direct-link.ts";
import { routesOf, startNodeRoutes } from "./node-routes.ts";
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
  const link = directLink("10.100.0.0/16", async () => {});
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
  const link = directLink("fd00:7::/56", async () => {});
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

/** A machine's table of routes, by what `ip` is asked. */
function machine(...routes: { dst: string; gateway: string; protocol?: string }[]) {
  const table = new Map(routes.map((one) => [one.dst, { protocol: "106", ...one }]));
  const run = async (_: string, args: string[]) => {
    const [verb, dst = ""] = args.slice(args.indexOf("route") + 1);
    if (verb === "show") {
      return JSON.stringify([...table.values()].filter((one) => one.protocol === args.at(-1)));
    }
    const gateway = args[args.indexOf("via") + 1]!;
    if (gateway.endsWith(".66")) throw new Error("Network is unreachable");
    if (verb === "replace") table.set(dst, { dst, gateway, protocol: args.at(-1)! });
    if (verb === "delete") table.delete(dst);
    return "";
  };
  return { table, run, shown: () => [...table.values()].map((one) => `${one.dst} ${one.gateway}`) };
}

async function follow(run: ReturnType<typeof machine>["run"], nodes: KubeObject[]) {
  const [clock, scope] = [new FakeClock(), new Scope()];
  const informer = {
    synced: async () => {},
    list: () => nodes,
    subscribe: () => () => {},
  } as unknown as Informer;
  const link = directLink("10.100.0.0/16", run);
  await startNodeRoutes({ nodes: informer, nodeName: "me", link, clock, log: silent, scope });
  return { clock, scope };
}

const three = [
  node("me", "10.100.0.0/24", "192.168.0.1"),
  node("gone-link", "10.100.1.0/24", "192.168.7.66"),
  node("other", "10.100.2.0/24", "192.168.0.2"),
];

test("a route of an earlier process to a node that is gone goes, and one that cannot be made keeps no other", async () => {
  const { run, shown } = machine(
    { dst: "10.100.9.0/24", gateway: "192.168.0.9" },
    { dst: "10.101.9.0/24", gateway: "192.168.0.9" },
  );
  const { scope } = await follow(run, three);
  assert.deepEqual(shown(), ["10.101.9.0/24 192.168.0.9", "10.100.2.0/24 192.168.0.2"]);
  await scope.close();
});

test("a route that the kernel forgot with its interface is made again", async () => {
  const { run, table, shown } = machine();
  const { clock, scope } = await follow(run, three);
  table.clear();
  await clock.advance(30_000);
  await scope.close();
  assert.deepEqual(shown(), ["10.100.2.0/24 192.168.0.2"]);
});

test("a site that is taken down leaves no route of its own, and others' alone", async () => {
  const { run, shown } = machine(
    { dst: "10.100.2.0/24", gateway: "192.168.0.2" },
    { dst: "10.101.2.0/24", gateway: "192.168.0.2" },
    { dst: "10.100.3.0/24", gateway: "192.168.0.3", protocol: "static" },
  );
  await removeDirectRoutes("10.100.0.0/16", run);
  assert.deepEqual(shown(), ["10.101.2.0/24 192.168.0.2", "10.100.3.0/24 192.168.0.3"]);
});
