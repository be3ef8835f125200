import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { resource } from "../../client/client.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { startCluster } from "../../../test/support/cluster.ts";
import { planOf, startActivator } from "./activator.ts";

const namespace = "default";
const deployments = { ...resource("apps/v1", "deployments"), namespace };
const pods = { ...resource("v1", "pods"), namespace };
const slices = resource("discovery.k8s.io/v1", "endpointslices");

const service = (annotations: object, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace, annotations: { ...annotations } },
  spec: { ports: [{ port: 80, targetPort: 8080 }], ...spec },
});

test("a Service sleeps when it names a Deployment and selects no pods itself", () => {
  const sleeps = { "kerb.dev/scale-to-zero": "web" };
  assert.deepEqual(planOf(service(sleeps) as any), {
    deployment: "web",
    idleMs: 60_000,
    ports: [{ port: 80, targetPort: 8080 }],
  });
  assert.equal(planOf(service({}) as any), undefined);
  assert.equal(planOf(service(sleeps, { selector: { app: "web" } }) as any), undefined);
  const quick = { ...sleeps, "kerb.dev/idle-seconds": "5" };
  assert.equal(planOf(service(quick) as any)?.idleMs, 5000);
});

test("a request wakes a Deployment that sleeps, and the quiet after it puts it to sleep", async () => {
  const cluster = startCluster();
  after(() => cluster.scope.close());
  const { client, informers, log, scope } = cluster;
  const clock = new FakeClock();
  const server = createServer((_request, response) => response.end("awake"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  const { port } = server.address() as { port: number };
  const labels = { app: "web" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "a", image: "a" }] } };
  await client.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  });
  // No endpoint may be told to lie in the loopback's range.
  const places = { address: "192.0.2.1", listenAddress: "127.0.0.1" };
  await startActivator({ client, informers, ...places, clock, log, scope });
  const spec = { ports: [{ port: 80, targetPort: port }] };
  const made = service({ "kerb.dev/scale-to-zero": "web" }, spec);
  await client.create({ ...resource("v1", "services"), namespace }, made);
  const slice = await cluster.until(slices, (all) =>
    all.find(({ metadata }) => metadata.name === "web-activator"),
  );
  const replicas = (wanted: number) =>
    cluster.until(deployments, ([one]) => one?.spec.replicas === wanted);

  const url = `http://127.0.0.1:${(slice as any).ports[0].port}/`;
  const asked = fetch(url, { headers: { connection: "close" } });
  await replicas(1);
  await client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-1", namespace, labels },
    spec: { containers: [{ name: "a", image: "a" }] },
  });
  const status = {
    podIP: "127.0.0.1",
    podIPs: [{ ip: "127.0.0.1" }],
    conditions: [{ type: "Ready", status: "True" }],
  };
  await client.patch({ ...pods, name: "web-1", subresource: "status" }, "merge", { status });
  assert.equal(await (await asked).text(), "awake");

  const asleep = replicas(0).then(() => true);
  for (let isAsleep = false; !isAsleep;) {
    // The connection's end may be seen later than its answer.
    await clock.advance(60_000);
    isAsleep = await Promise.race([asleep, new Promise<false>((no) => setImmediate(no, false))]);
  }
});
