import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { claimFinalizer, resourceClaim, resourceClaims } from "./resource-claim.ts";
import { resourceClaimTemplate } from "./resource-claim-template.ts";

const inDefault = { namespace: "default" };
const pods = { ...resource("v1", "pods"), ...inDefault };
const claims = { ...resourceClaims, ...inDefault };
const templates = { ...resource("resource.k8s.io/v1", "resourceclaimtemplates"), ...inDefault };

const spec = {
  devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu.example.com" } }] },
};
const pod = (resourceClaim: object) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "train" },
  spec: { containers: [{ name: "main", image: "app" }], resourceClaims: [resourceClaim] },
});

test("a pod gets its own claim of a template that comes later, and both go", async (t) => {
  const cluster = await startControlled([resourceClaim, resourceClaimTemplate], { collect: true });
  t.after(() => cluster.scope.close());
  const { client, until } = cluster;
  await client.create(pods, pod({ name: "gpu", resourceClaimTemplateName: "one-gpu" }));
  await client.create(templates, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { name: "one-gpu" },
    spec: { metadata: { labels: { team: "a" } }, spec },
  });
  const claim = await until(claims, ([one]) => one);
  assert.match(claim.metadata.name, /^train-gpu-/);
  assert.deepEqual(claim.metadata.labels, { team: "a" });
  const { name } = claim.metadata;
  await until(pods, ([one]) => one?.status.resourceClaimStatuses?.[0]?.resourceClaimName === name);
  await client.patch({ ...pods, name: "train", subresource: "status" }, "merge", {
    status: { phase: "Succeeded" },
  });
  await until(claims, (all) => all.length === 0);
});

test("a claim gives its devices back once the last pod that used it is done", async (t) => {
  const cluster = await startControlled([resourceClaim, resourceClaimTemplate]);
  t.after(() => cluster.scope.close());
  const { client, until } = cluster;
  const name = "shared";
  const target = { ...claims, name };
  const { metadata } = await client.create(pods, pod({ name: "gpu", resourceClaimName: name }));
  await client.create(claims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, finalizers: [claimFinalizer] },
    spec,
  });
  const results = [{ request: "gpu", driver: "d.example.com", pool: "a", device: "gpu-0" }];
  const consumer = { resource: "pods", name: "train", uid: metadata.uid };
  await client.patch({ ...target, subresource: "status" }, "merge", {
    status: { allocation: { devices: { results } }, reservedFor: [consumer] },
  });
  await client.delete(target);
  await until(claims, ([one]) => one?.metadata.deletionTimestamp);
  assert.ok((await client.get(target)).status.allocation, "it is in use");
  await client.delete({ ...pods, name: "train" }, { gracePeriodSeconds: 0 });
  await until(claims, (all) => all.length === 0);
});
