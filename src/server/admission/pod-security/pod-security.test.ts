import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../../kinds/kinds.ts";
import { FakeClock } from "../../../lib/fake-clock.ts";
import { silent } from "../../../lib/log.ts";
import { seededRandom } from "../../../lib/random.ts";
import { memoryStore } from "../../../store/memory.ts";
import { loopback } from "../../bootstrap.ts";
import { createServer } from "../../server.ts";
import { objectReader } from "../object-reader.ts";
import type { Exemptions } from "./pod-security.ts";
import { podSecurity } from "./pod-security.ts";

function setUp(exemptions?: Exemptions) {
  const store = memoryStore();
  const plugin = podSecurity({
    store,
    reader: objectReader(store),
    ...(exemptions && { exemptions }),
  });
  const server = createServer({
    store,
    kinds: builtinKinds(),
    clock: new FakeClock(),
    random: seededRandom(1),
    log: silent,
    admission: [plugin],
  });
  const annotations = new Map<string, string>();
  const send = (method: string, path: string, body?: object) => {
    annotations.clear();
    return server.handle({
      method,
      path,
      query: new URLSearchParams(),
      headers: method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {},
      body: body && Buffer.from(JSON.stringify(body)),
      user: loopback,
      signal: new AbortController().signal,
      annotations,
    });
  };
  const namespace = (name: string, labels: Record<string, string>) =>
    send("POST", "/api/v1/namespaces", { metadata: { name, labels: prefixed(labels) } });
  const pod = (name: string, spec: object = {}) =>
    send("POST", "/api/v1/namespaces/shop/pods", {
      metadata: { name },
      spec: { containers: [{ name: "main", image: "busybox" }], ...spec },
    });
  return { send, namespace, pod, annotations };
}

const prefixed = (labels: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]),
  );

const hostPid = 'PodSecurity "baseline:v1.30": host namespaces (hostPID=true)';

test("a namespace's label keeps pods out that break its level", async () => {
  const { namespace, pod, annotations } = setUp();
  await namespace("shop", { enforce: "baseline", "enforce-version": "v1.30" });
  await pod("fine");
  await assert.rejects(pod("bad", { hostPID: true }), {
    message: `pods "bad" is forbidden: violates ${hostPid}`,
    code: 403,
  });
  assert.equal(annotations.get("pod-security.kubernetes.io/enforce-policy"), "baseline:v1.30");
});

test("warnings and audit annotations tell what would be refused, for workloads as for pods", async () => {
  const { namespace, pod, send, annotations } = setUp();
  await namespace("shop", { warn: "baseline", "warn-version": "v1.30", audit: "restricted" });
  const { warnings } = await pod("bad", { hostPID: true });
  assert.deepEqual(warnings, [`would violate ${hostPid}`]);
  const seen = annotations.get("pod-security.kubernetes.io/audit-violations");
  assert.match(seen!, /^would violate PodSecurity "restricted:latest": host namespaces/);
  const deployment = await send("POST", "/apis/apps/v1/namespaces/shop/deployments", {
    metadata: { name: "web" },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { hostPID: true, containers: [{ name: "main", image: "busybox" }] },
      },
    },
  });
  assert.deepEqual(deployment.warnings, [`would violate ${hostPid}`]);
});

test("workloads are never refused, only warned of", async () => {
  const { namespace, send } = setUp();
  await namespace("shop", { enforce: "restricted" });
  const { warnings } = await send("POST", "/api/v1/namespaces/shop/podtemplates", {
    metadata: { name: "web" },
    template: { spec: { containers: [{ name: "main", image: "busybox" }] } },
  });
  assert.match(warnings![0]!, /^would violate PodSecurity "restricted:latest"/);
});

test("a label that is no level or version is refused", async () => {
  const { namespace } = setUp();
  await assert.rejects(namespace("shop", { enforce: "strict", "warn-version": "1.30" }), {
    message:
      'Namespace "shop" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: ' +
      'Invalid value: "strict": must be one of privileged, baseline, restricted, ' +
      "metadata.labels[pod-security.kubernetes.io/warn-version]: " +
      'Invalid value: "1.30": must be "latest" or "v1.x"]',
  });
});

test("a namespace made stricter tells which of its pods break the new level", async () => {
  const { namespace, pod, send } = setUp();
  await namespace("shop", {});
  await pod("a", { hostPID: true });
  await pod("b", { hostPID: true });
  await pod("c");
  const { warnings } = await send("PATCH", "/api/v1/namespaces/shop", {
    metadata: { labels: prefixed({ enforce: "baseline" }) },
  });
  assert.deepEqual(warnings, [
    'existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest"',
    "a (and 1 other pod): host namespaces",
  ]);
});

test("a pod that was there before its level may change all but its images", async () => {
  const { namespace, pod, send } = setUp();
  await namespace("shop", {});
  await pod("old", { hostPID: true });
  const labels = prefixed({ enforce: "baseline" });
  await send("PATCH", "/api/v1/namespaces/shop", { metadata: { labels } });
  const path = "/api/v1/namespaces/shop/pods/old";
  await send("PATCH", path, { metadata: { labels: { tier: "web" } } });
  await assert.rejects(
    send("PATCH", path, { spec: { containers: [{ name: "main", image: "nginx" }] } }),
    /violates PodSecurity/,
  );
});

test("exempt namespaces, users and runtime classes are let be", async () => {
  const none = { usernames: [], runtimeClasses: [], namespaces: [] };
  const cases: [Exemptions, string][] = [
    [{ ...none, namespaces: ["shop"] }, "namespace"],
    [{ ...none, usernames: [loopback.name] }, "user"],
    [{ ...none, runtimeClasses: ["kata"] }, "runtimeClass"],
  ];
  for (const [exemptions, why] of cases) {
    const { namespace, pod, annotations } = setUp(exemptions);
    await namespace("shop", { enforce: "restricted" });
    await pod("bad", { hostPID: true, runtimeClassName: "kata" });
    assert.equal(annotations.get("pod-security.kubernetes.io/exempt"), why);
  }
});
