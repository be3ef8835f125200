import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";

const configMaps = resource("v1", "configmaps");
const secrets = resource("v1", "secrets");
const namespace = "default";

let cluster: Cluster;
beforeEach(async () => (cluster = await startControlled([], { collect: true })));
afterEach(() => cluster.scope.close());

const reference = ({ apiVersion, kind, metadata }: KubeObject, more: object = {}) => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  ...more,
});

function create(name: string, owners: object[] = [], more: object = {}) {
  const metadata = {
    name,
    ...(owners.length > 0 && { ownerReferences: owners as never }),
    ...more,
  };
  return cluster.client.create(
    { ...configMaps, namespace },
    { apiVersion: "v1", kind: "ConfigMap", metadata },
  );
}
const at = (name: string) => ({ ...configMaps, namespace, name });
const left = (...names: string[]) =>
  cluster.until(configMaps, (all) => {
    const found = all.map(({ metadata }) => metadata.name).sort();
    return JSON.stringify(found) === JSON.stringify(names) && all;
  });

test("what loses its last owner goes, and what it owned after it", async () => {
  const root = await create("root");
  const other = await create("other");
  const child = await create("child", [reference(root)]);
  await create("grandchild", [reference(child)]);
  await create("shared", [reference(root), reference(other)]);
  await cluster.client.delete(at("root"));
  await left("other", "shared");
  const shared = await cluster.until(configMaps, (all) =>
    all.find((o) => o.metadata.name === "shared" && o.metadata.ownerReferences?.length === 1),
  );
  assert.equal(shared.metadata.ownerReferences![0]!.uid, other.metadata.uid);
});

test("an owner that never was, or is in another namespace, is no owner", async () => {
  const stranger = await cluster.client.create(
    { ...secrets, namespace: "kube-system" },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "stranger" } },
  );
  await create("a", [{ apiVersion: "v1", kind: "Secret", name: "x", uid: "no-such-uid" }]);
  await create("b", [reference(stranger)]);
  await create("c");
  await left("c");
});

test("an owner that was made again under its name is another one", async () => {
  const root = await create("root");
  await cluster.client.delete(at("root"));
  await create("root");
  await create("child", [reference(root)]);
  await left("root");
});

test("dependents of a kind that is not known are left alone", async () => {
  await create("a", [{ apiVersion: "example.com/v1", kind: "Thing", name: "x", uid: "u" }]);
  const root = await create("root");
  await create("child", [reference(root)]);
  await cluster.client.delete(at("root"));
  await left("a");
});

test("a foreground deletion waits for the dependents that block it", async () => {
  const root = await create("root");
  await create("child", [reference(root, { blockOwnerDeletion: true })], {
    finalizers: ["test/hold"],
  });
  await cluster.client.delete(at("root"), { propagationPolicy: "Foreground" });
  await cluster.until(configMaps, (all) =>
    all.find((o) => o.metadata.name === "child" && o.metadata.deletionTimestamp),
  );
  const waiting = await cluster.client.get(at("root"));
  assert.deepEqual(waiting.metadata.finalizers, ["foregroundDeletion"]);
  await cluster.client.patch(at("child"), "merge", { metadata: { finalizers: null } });
  await left();
});

test("a foreground deletion of a circle of owners comes to an end", async () => {
  const a = await create("a");
  const b = await create("b", [reference(a, { blockOwnerDeletion: true })]);
  const owners = [reference(b, { blockOwnerDeletion: true })];
  await cluster.client.patch(at("a"), "merge", { metadata: { ownerReferences: owners } });
  await cluster.client.delete(at("a"), { propagationPolicy: "Foreground" });
  await left();
});

test("an owner deleted as Orphan leaves its dependents, which forget it", async () => {
  const root = await create("root");
  await create("child", [reference(root)]);
  await cluster.until(configMaps, (all) => all.length === 2 || undefined);
  await cluster.client.delete(at("root"), { propagationPolicy: "Orphan" });
  const [child] = await left("child");
  assert.deepEqual(child!.metadata.ownerReferences ?? [], []);
});
