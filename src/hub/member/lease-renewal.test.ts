import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import { StatusError } from "../../lib/status-error.ts";
import { leaseRenewal } from "./lease-renewal.ts";

const target = { ...resource("coordination.k8s.io/v1", "leases"), namespace: "farm", name: "l" };

/** A hub with one lease, which writes down what is asked of it. */
function hubThat(mayPatch: boolean) {
  const asked: [verb: string, body?: any][] = [];
  let lease: any = { metadata: { name: "l", managedFields: [{ manager: "hub" }] }, spec: { x: 1 } };
  const keep = (next: any) => {
    const { managedFields: sent, ...others } = { ...lease.metadata, ...next.metadata };
    const isReset = JSON.stringify(sent) === "[{}]";
    const metadata = isReset ? others : { ...others, managedFields: sent };
    return (lease = { ...lease, ...next, metadata });
  };
  const hub = {
    get: async () => (asked.push(["get"]), lease),
    patch: async (_: unknown, __: unknown, body: any) => {
      asked.push(["patch", body]);
      if (!mayPatch) throw new StatusError("Forbidden", "sites update");
      return keep({ ...body, spec: { ...lease.spec, ...body.spec } });
    },
    update: async (_: unknown, body: any) => (asked.push(["update", body]), keep(body)),
  } as unknown as Client;
  return { hub, asked, lease: () => lease };
}

test("a heartbeat says the time, clears who owns what once, and changes nothing else", async () => {
  const { hub, asked, lease } = hubThat(true);
  const renew = leaseRenewal(hub, target);
  for (const time of ["1", "2", "3"]) await renew(time);
  assert.deepEqual(asked[0], ["patch", { spec: { renewTime: "1" } }]);
  assert.deepEqual(asked[1]![1].metadata, { managedFields: [{}] });
  assert.deepEqual(lease().spec, { x: 1, renewTime: "3" });
});

test("a hub that lets its sites only update is asked once, and then updated", async () => {
  const { hub, asked, lease } = hubThat(false);
  const renew = leaseRenewal(hub, target);
  for (const time of ["1", "2"]) await renew(time);
  assert.deepEqual(
    asked.map(([verb]) => verb),
    ["patch", "get", "update", "update"],
  );
  assert.deepEqual(lease().spec, { x: 1, renewTime: "2" });
});
