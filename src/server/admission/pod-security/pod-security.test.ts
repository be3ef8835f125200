import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "../../../../test/support/cluster.ts";
import { resource } from "../../../client/client.ts";
import { isStatus } from "../../../lib/status-error.ts";
import { objectReader } from "../object-reader.ts";
import type { AdmissionRequest } from "../../policy.ts";
import { podSecurity } from "./pod-security.ts";

const namespaces = resource("v1", "namespaces");
const pods = { ...resource("v1", "pods"), namespace: "farm" };
const deployments = { ...resource("apps/v1", "deployments"), namespace: "farm" };
const label = (mode: string) => `pod-security.kubernetes.io/${mode}`;
const container = { name: "c", image: "busybox" };
const pod = (name: string, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [container], ...spec },
});

function setUp() {
  const warnings: string[] = [];
  const cluster = startCluster({
    admission: ({ store }) => {
      const plugin = podSecurity(objectReader(store));
      const listen = (request: AdmissionRequest) =>
        plugin.validate!({ ...request, warn: (message) => void warnings.push(message) });
      return [{ name: plugin.name, validate: listen }];
    },
  });
  const namespace = (labels: Record<string, string>) =>
    cluster.client.create(namespaces, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "farm", labels },
    });
  return { ...cluster, namespace, warnings };
}

test("a pod that breaks what its namespace enforces is refused, and what it warns of is told", async (t) => {
  const { client, namespace, warnings, scope } = setUp();
  t.after(() => scope.close());
  await namespace({ [label("enforce")]: "baseline", [label("warn")]: "restricted" });
  await assert.rejects(client.create(pods, pod("host", { hostNetwork: true })), (error: Error) => {
    assert.match(
      error.message,
      /^pods "host" is forbidden: violates PodSecurity "baseline:latest": host namespaces/,
    );
    return isStatus(error, "Forbidden");
  });
  await client.create(pods, pod("plain"));
  assert.match(warnings[0]!, /^would violate PodSecurity "restricted:latest": allowPrivilege/);
  await client.patch({ ...pods, name: "plain" }, "merge", { metadata: { labels: { a: "b" } } });
  assert.equal(warnings.length, 1, "a label changes nothing of it");
});

test("what pods are made from is never refused", async (t) => {
  const { client, namespace, warnings, scope } = setUp();
  t.after(() => scope.close());
  await namespace({ [label("enforce")]: "baseline", [label("warn")]: "baseline" });
  const labels = { app: "a" };
  const spec = { hostPID: true, containers: [container] };
  await client.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
  assert.deepEqual(warnings, [
    'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
  ]);
});

test("labels that mean nothing are refused; whoever tightens the rule learns which pods break it", async (t) => {
  const { client, namespace, warnings, scope } = setUp();
  t.after(() => scope.close());
  await assert.rejects(namespace({ [label("enforce")]: "strict" }), /must be one of privileged/);
  await namespace({});
  for (const name of ["a", "b"]) await client.create(pods, pod(name, { hostNetwork: true }));
  const metadata = { labels: { [label("enforce")]: "baseline" } };
  await client.patch({ ...namespaces, name: "farm" }, "merge", { metadata });
  assert.deepEqual(warnings, [
    'existing pods in namespace "farm" violate the new PodSecurity enforce level "baseline:latest"',
    "a (and 1 other pod): host namespaces",
  ]);
});
