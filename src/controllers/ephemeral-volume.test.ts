import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import type { Cluster } from "../../test/support/cluster.ts";
import { resource } from "../client/client.ts";
import { ephemeralVolume } from "./ephemeral-volume.ts";

const claims = { ...resource("v1", "persistentvolumeclaims"), namespace: "default" };
const pods = { ...resource("v1", "pods"), namespace: "default" };

let cluster: Cluster;
before(async () => {
  cluster = await startControlled([ephemeralVolume]);
});
after(() => cluster.scope.close());

const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Mi" } } };

test("an ephemeral volume's claim is made as its template says, and its pod owns it", async () => {
  const volumeClaimTemplate = { metadata: { labels: { kind: "scratch" } }, spec };
  const pod = await cluster.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: {
      containers: [{ name: "main", image: "busybox" }],
      volumes: [{ name: "own", ephemeral: { volumeClaimTemplate } }],
    },
  });
  const claim = await cluster.until(claims, (all) =>
    all.find(({ metadata }) => metadata.name === "web-own"),
  );
  assert.equal(claim.metadata.ownerReferences?.[0]?.uid, pod.metadata.uid);
  assert.deepEqual(claim.metadata.labels, { kind: "scratch" });
  assert.deepEqual(claim.spec.resources, spec.resources);
});
