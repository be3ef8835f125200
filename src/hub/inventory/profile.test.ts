import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { profileDraft, profileStatus } from "./profile.ts";

const cluster = (status?: object) =>
  ({
    metadata: {
      name: "farm",
      labels: { "cluster.open-cluster-management.io/clusterset": "north" },
    },
    spec: { hubAcceptsClient: true },
    status,
  }) as unknown as KubeObject;

test("the inventory names the manager by label and field alike", () => {
  const { metadata, spec } = profileDraft(cluster()) as any;
  assert.equal(metadata.labels["x-k8s.io/cluster-manager"], spec.clusterManager.name);
});

test("version, claims, set and health are told; what is not known is Unknown", () => {
  const conditions = [
    { type: "ManagedClusterConditionAvailable", status: "False", reason: "Gone", message: "m" },
  ];
  const claims = [{ name: "id.k8s.io", value: "u" }];
  const told = profileStatus(
    cluster({ conditions, clusterClaims: claims, version: { kubernetes: "v1.36.0" } }),
  );
  assert.deepEqual(told.version, { kubernetes: "v1.36.0" });
  assert.deepEqual(told.properties, [...claims, { name: "clusterset.k8s.io", value: "north" }]);
  assert.deepEqual(
    told.conditions.map(({ type, status }) => [type, status]),
    [
      ["ControlPlaneHealthy", "False"],
      ["Joined", "Unknown"],
    ],
  );
});
