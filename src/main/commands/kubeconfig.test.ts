import assert from "node:assert/strict";
import { test } from "node:test";
import { withSites } from "./kubeconfig.ts";

test("each site is a cluster and a context behind its hub", () => {
  const hub = {
    clusters: [
      { name: "hub", cluster: { server: "https://h:1", "certificate-authority-data": "Q" } },
    ],
    contexts: [{ name: "hub", context: { cluster: "hub", user: "admin" } }],
    "current-context": "hub",
  };
  const { clusters, contexts, ...rest } = withSites(hub, ["farm", "hub"]);
  assert.deepEqual(clusters[1], {
    name: "farm",
    cluster: {
      server: "https://h:1/apis/proxy.fleet.kerb.dev/v1alpha1/managedclusters/farm/proxy",
      "certificate-authority-data": "Q",
    },
  });
  assert.deepEqual(contexts[1], { name: "farm", context: { cluster: "farm", user: "admin" } });
  assert.equal(clusters.length, 2);
  assert.equal(rest["current-context"], "hub");
});
