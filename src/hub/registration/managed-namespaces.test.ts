import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import type { ManagedCluster } from "../placement/model.ts";
import { namespacesOf } from "./managed-namespaces.ts";

const setOf = (name: string, namespaces: string[], more: object = {}) =>
  ({
    metadata: { name, ...more },
    spec: { managedNamespaces: namespaces.map((one) => ({ name: one })) },
  }) as unknown as KubeObject;

const conditions = [{ type: "NamespaceAvailable", status: "True" }];
const cluster = {
  metadata: { name: "farm", labels: { "cluster.open-cluster-management.io/clusterset": "shops" } },
  spec: {},
  status: { managedNamespaces: [{ name: "till", clusterSet: "shops", conditions }] },
} as unknown as ManagedCluster;

test("a site has the namespaces of its sets, and what it said of them", () => {
  const sets = [setOf("shops", ["till", "stock"]), setOf("mills", ["grain"])];
  assert.deepEqual(namespacesOf(cluster, sets), [
    { name: "stock", clusterSet: "shops" },
    { name: "till", clusterSet: "shops", conditions },
  ]);
});

test("a set that goes takes its namespaces along", () => {
  const sets = [setOf("shops", ["till"], { deletionTimestamp: "2026-01-01T00:00:00Z" })];
  assert.deepEqual(namespacesOf(cluster, sets), []);
});
