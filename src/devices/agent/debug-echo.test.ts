// Akri's first sample, from Configuration to brokers and Services.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import type { DeviceCluster } from "../../../test/support/devices.ts";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { availabilityFile, debugEcho } from "../handlers/debug-echo.ts";
import type { DiscoveryHandler, DiscoverRequest } from "../discovery/handler.ts";
import { configurations } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";

const pods = resource("v1", "pods");
const services = resource("v1", "services");
const namespace = "default";

const echo = (more: object = {}) => ({
  apiVersion: "akri.sh/v0",
  kind: "Configuration",
  metadata: { name: "akri-debug-echo-foo" },
  spec: {
    discoveryHandler: { name: "debugEcho", discoveryDetails: 'descriptions: ["foo0", "foo1"]\n' },
    brokerSpec: {
      brokerPodSpec: {
        containers: [
          { name: "broker", image: "nginx", resources: { limits: { "{{PLACEHOLDER}}": "1" } } },
        ],
      },
    },
    instanceServiceSpec: { ports: [{ name: "http", port: 6052, targetPort: 6052 }] },
    configurationServiceSpec: { ports: [{ name: "http", port: 6052, targetPort: 6052 }] },
    brokerProperties: {},
    capacity: 5,
    ...more,
  },
});

let cluster: DeviceCluster;
beforeEach(async () => void (cluster = await startDeviceCluster()));
afterEach(() => cluster.scope.close());

const names = (objects: KubeObject[]) => objects.map(({ metadata }) => metadata.name).sort();
const brokersOnly = (all: KubeObject[]) => all.filter((one) => one.metadata.labels?.["app"]);

const untilNames = (of: typeof pods, wanted: string[]) =>
  cluster.until(of, (all) => {
    const own = of === instances ? all : brokersOnly(all);
    return JSON.stringify(names(own)) === JSON.stringify(wanted) && own;
  });

async function run(all: KubeObject[]) {
  for (const { metadata } of all) {
    const target = { ...pods, namespace, name: metadata.name, subresource: "status" };
    await cluster.client.patch(target, "merge", { status: { phase: "Running" } });
  }
}

async function* nothing({ signal }: DiscoverRequest) {
  yield [];
  await once(signal, "abort");
}

const podNames = ["a-akri-debug-echo-foo-8120fe-pod", "a-akri-debug-echo-foo-a19705-pod"];

test("two devices get two brokers and three Services, and lose them while they are offline", async () => {
  const { client } = cluster;
  const { directory } = await cluster.addNode("a", { handlers: [debugEcho] });
  await client.create({ ...configurations, namespace }, echo());
  const found = await untilNames(instances, [
    "akri-debug-echo-foo-8120fe",
    "akri-debug-echo-foo-a19705",
  ]);
  assert.deepEqual(found[0]!.spec, {
    configurationName: "akri-debug-echo-foo",
    cdiName: "akri.sh/akri-debug-echo-foo=8120fe",
    capacity: 5,
    brokerProperties: { DEBUG_ECHO_DESCRIPTION: "foo0" },
    shared: true,
    nodes: ["a"],
    deviceUsage: {},
  });
  const brokers = await untilNames(pods, podNames);
  const { limits } = brokers[0]!.spec.containers[0].resources;
  assert.deepEqual(limits, { "akri.sh/akri-debug-echo-foo-8120fe": "1" });
  await run(brokers);
  await untilNames(services, [
    "akri-debug-echo-foo-8120fe-svc",
    "akri-debug-echo-foo-a19705-svc",
    "akri-debug-echo-foo-svc",
  ]);

  await writeFile(join(directory, availabilityFile), "OFFLINE\n");
  await untilNames(instances, []);
  await untilNames(pods, []);
  await untilNames(services, []);

  await writeFile(join(directory, availabilityFile), "ONLINE\n");
  await untilNames(pods, podNames);
});

test("a device that two nodes see is one Instance, and stays while one of them sees it", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  const b = await cluster.addNode("b", { handlers: [debugEcho] });
  const one = { discoveryHandler: { name: "debugEcho", discoveryDetails: "descriptions: [foo0]" } };
  await cluster.client.create({ ...configurations, namespace }, echo(one));
  const nodesAre = (wanted: string[]) =>
    cluster.until(instances, (all) => {
      const nodes = [...(all[0]?.spec.nodes ?? [])].sort();
      return all.length === 1 && JSON.stringify(nodes) === JSON.stringify(wanted);
    });
  await nodesAre(["a", "b"]);
  await untilNames(pods, [podNames[0]!, podNames[0]!.replace(/^a/, "b")]);
  await writeFile(join(b.directory, availabilityFile), "OFFLINE\n");
  await nodesAre(["a"]);
  await untilNames(pods, [podNames[0]!]);
});

test("details that cannot be read are said in the Configuration's status", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  const bad = { discoveryHandler: { name: "debugEcho", discoveryDetails: "descriptions: 7" } };
  await cluster.client.create({ ...configurations, namespace }, echo(bad));
  const entry = await cluster.until(configurations, (all) =>
    all[0]?.status?.nodes?.find((one: any) => one.reason === "InvalidDetails"),
  );
  assert.equal(entry.message, "discoveryDetails.descriptions: expected a list of strings");
});

test("a Configuration that goes takes all with it", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  await cluster.client.create({ ...configurations, namespace }, echo());
  await untilNames(pods, podNames);
  await cluster.client.delete({ ...configurations, namespace, name: "akri-debug-echo-foo" });
  await untilNames(instances, []);
  await untilNames(pods, []);
});

test("an ended broker is made anew, and an Event of its Instance says why", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  await cluster.client.create({ ...configurations, namespace }, echo());
  const [first] = await untilNames(pods, podNames);
  const { name, uid } = first!.metadata;
  const target = { ...pods, namespace, name, subresource: "status" };
  const state = { terminated: { exitCode: 3, reason: "Error" } };
  const exited = { name: "broker", ready: false, restartCount: 0, image: "", imageID: "", state };
  await cluster.client.patch(target, "merge", {
    status: { phase: "Failed", containerStatuses: [exited] },
  });
  await cluster.until(pods, (all) =>
    all.some((one) => one.metadata.name === name && one.metadata.uid !== uid),
  );
  const told = (await cluster.until(resource("v1", "events"), (all) =>
    all.find(({ reason }) => reason === "BrokerEnded"),
  )) as KubeObject;
  assert.equal(told["involvedObject"].kind, "Instance");
  assert.match(
    told["message"],
    /-pod Failed: container broker exited with 3; the next comes at once/,
  );
});

const other = async (client: DeviceCluster["client"]) =>
  client.create(resource("v1", "namespaces"), {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "other" },
  });

test("Configurations of one name in two namespaces have resources of their own", async () => {
  const { client } = cluster;
  await cluster.addNode("a", { handlers: [debugEcho] });
  await client.create({ ...configurations, namespace }, echo());
  await untilNames(pods, podNames);
  await other(client);
  await client.create({ ...configurations, namespace: "other" }, echo());
  const brokers = await cluster.until(pods, (all) => all.length === 4 && all);
  const asked = brokers.flatMap((pod) => Object.keys(pod.spec.containers[0].resources.limits));
  const wanted = ["8120fe", "a19705"].flatMap((digest) => [
    `akri.sh/akri-debug-echo-foo-${digest}`,
    `other.akri.sh/akri-debug-echo-foo-${digest}`,
  ]);
  assert.deepEqual(asked.sort(), wanted.sort());
});

const conditionIn = (of: typeof pods, type: string, status: string) =>
  cluster.until(of, (all) =>
    all
      .flatMap((one) => one.status?.conditions ?? [])
      .find((one: any) => one.type === type && one.status === status),
  );

test("conditions say of a Configuration what was found, and of an Instance that it is there", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  await cluster.client.create({ ...configurations, namespace }, echo());
  assert.equal((await conditionIn(configurations, "Found", "True")).message, "2 on 1 node");
  assert.equal((await conditionIn(instances, "Online", "True")).reason, "Seen");
  assert.equal((await conditionIn(instances, "InUse", "False")).message, "0 of 5 slots");
});

test("with approval asked for, a device has no broker until somebody approves it", async () => {
  const { client } = cluster;
  await cluster.addNode("a", { handlers: [debugEcho] });
  await client.create({ ...configurations, namespace }, echo({ approval: "Manual" }));
  assert.equal((await conditionIn(instances, "Approved", "False")).reason, "Manual");
  const one = { device: "8120fe", approved: true, properties: { PLACE: "north gate" } };
  const target = { ...configurations, namespace, name: "akri-debug-echo-foo" };
  await client.patch(target, "merge", { spec: { devices: [one] } });
  await untilNames(pods, [podNames[0]!]);
  await cluster.until(instances, (all) =>
    all.some((instance) => instance.spec.brokerProperties.PLACE === "north gate"),
  );
  await client.patch(target, "merge", { spec: { devices: [{ ...one, approved: false }] } });
  await untilNames(pods, []);
});

test("of all nodes one looks, and another when it is lost: one broker per device", async () => {
  const nodes = resource("v1", "nodes");
  for (const name of ["a", "b"]) {
    await cluster.client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name } });
  }
  await cluster.addNode("a", { handlers: [debugEcho] });
  await cluster.addNode("b", { handlers: [debugEcho] });
  await cluster.client.create({ ...configurations, namespace }, echo({ searchBy: "OneNode" }));
  const reasons = (all: KubeObject[]) =>
    (all[0]?.status?.nodes ?? []).map(({ reason }: any) => reason).sort();
  await cluster.until(
    configurations,
    (all) => JSON.stringify(reasons(all)) === '["Found","Standby"]',
  );
  const found = await cluster.until(instances, (all) => all.length === 2 && all);
  assert.deepEqual(
    found.map(({ spec }) => spec.nodes.length),
    [1, 1],
  );
  assert.equal((await cluster.until(pods, (all) => all.length === 2 && all)).length, 2);
  const conditions = [{ type: "Ready", status: "Unknown", reason: "x", message: "" }];
  const first = found[0]!.spec.nodes[0];
  const target = { ...nodes, name: first, subresource: "status" };
  await cluster.client.patch(target, "merge", { status: { conditions } });
  const moved = await cluster.until(
    instances,
    (all) => all.every(({ spec }) => spec.nodes.length === 1 && spec.nodes[0] !== first) && all,
  );
  const uids = (all: KubeObject[]) => all.map(({ metadata }) => metadata.uid).sort();
  assert.deepEqual(uids(moved), uids(found));
});

test("brokers carry the labels and annotations that people want, and names that they can foretell", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  const { brokerPodSpec } = echo().spec.brokerSpec;
  const brokerMetadata = {
    name: "echo-$(DEBUG_ECHO_DESCRIPTION)-$(NODE)",
    labels: { room: "$(DEBUG_ECHO_DESCRIPTION)", controller: "me" },
    annotations: { "dapr.io/app-id": "$(INSTANCE)", known: "$(NOBODY)" },
  };
  const spec = echo({ brokerSpec: { brokerPodSpec, brokerMetadata } });
  await cluster.client.create({ ...configurations, namespace }, spec);
  const [broker] = await untilNames(pods, ["echo-foo0-a", "echo-foo1-a"]);
  const { labels, annotations } = broker!.metadata;
  assert.equal(labels?.["room"], "foo0");
  assert.equal(labels?.["controller"], "akri.sh");
  assert.equal(annotations?.["dapr.io/app-id"], "akri-debug-echo-foo-8120fe");
  assert.equal(annotations?.["known"], "$(NOBODY)");
});

test("a broker may be a workload of any kind, which follows its template and goes with its device", async () => {
  const { client } = cluster;
  const deployments = resource("apps/v1", "deployments");
  const { directory } = await cluster.addNode("a", { handlers: [debugEcho] });
  const [container] = echo().spec.brokerSpec.brokerPodSpec.containers;
  const workload = (replicas: number) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "reader-$(DEVICE)" },
    spec: {
      replicas,
      selector: { matchLabels: { device: "$(DEVICE)" } },
      template: {
        metadata: { labels: { device: "$(DEVICE)" } },
        spec: { containers: [container] },
      },
    },
  });
  const spec = echo({ brokerSpec: { brokerTemplate: workload(2) } });
  await client.create({ ...configurations, namespace }, spec);
  const [made] = await cluster.until(deployments, (all) => all.length === 2 && all);
  assert.equal(made!.metadata.name, "reader-8120fe");
  const { metadata, spec: podSpec } = made!.spec.template;
  assert.equal(metadata.labels["akri.sh/instance"], "akri-debug-echo-foo-8120fe");
  const limits = { "akri.sh/akri-debug-echo-foo-8120fe": "1" };
  assert.deepEqual(podSpec.containers[0].resources.limits, limits);
  const target = { ...configurations, namespace, name: "akri-debug-echo-foo" };
  await client.patch(target, "merge", {
    spec: { brokerSpec: { brokerTemplate: workload(3) } },
  });
  await cluster.until(deployments, (all) => all.every((one) => one.spec.replicas === 3));
  const other = { apiVersion: "v1", kind: "ConfigMap", data: { of: "$(DEVICE)" } };
  await client.patch(target, "json", [
    { op: "replace", path: "/spec/brokerSpec/brokerTemplate", value: other },
  ]);
  const configMaps = resource("v1", "configmaps");
  await cluster.until(configMaps, (all) => all.filter(({ data }) => data?.of).length === 2);
  await cluster.until(deployments, (all) => all.length === 0);
  await writeFile(join(directory, availabilityFile), "OFFLINE\n");
  await cluster.until(configMaps, (all) => all.every(({ data }) => !data?.of));
});

for (const [kind, of] of [
  ["Pod", pods],
  ["Job", resource("batch/v1", "jobs")],
] as const) {
  test(`a broker that is a ${kind} by its template stays, and is made anew when that changes`, async () => {
    const { client } = cluster;
    await cluster.addNode("a", { handlers: [debugEcho] });
    const [container] = echo().spec.brokerSpec.brokerPodSpec.containers;
    const workload = (image: string) => {
      const spec = { restartPolicy: "Never", containers: [{ ...container, image }] };
      return {
        apiVersion: kind === "Pod" ? "v1" : "batch/v1",
        kind,
        metadata: { name: "reader-$(DEVICE)" },
        spec: kind === "Pod" ? spec : { template: { spec } },
      };
    };
    const spec = echo({ brokerSpec: { brokerTemplate: workload("one") } });
    await client.create({ ...configurations, namespace }, spec);
    const before = await cluster.until(of, (all) => all.length === 2 && all);
    const target = { ...configurations, namespace, name: "akri-debug-echo-foo" };
    const uids = (all: KubeObject[]) => all.map(({ metadata }) => metadata.uid).sort();
    await client.patch(target, "merge", { spec: { capacity: 3 } });
    await cluster.until(instances, (all) => all.every((one) => one.spec.capacity === 3));
    assert.deepEqual(uids((await client.list({ ...of, namespace })).items), uids(before));
    await client.patch(target, "merge", {
      spec: { brokerSpec: { brokerTemplate: workload("two") } },
    });
    await cluster.until(of, (all) => {
      const isNew = all.every((one) => !uids(before).includes(one.metadata.uid));
      return all.length === 2 && isNew && JSON.stringify(all).includes('"two"');
    });
  });
}

test("a template of a kind that gives rights is refused by name", async () => {
  const brokerTemplate = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding" };
  const spec = echo({ brokerSpec: { brokerTemplate } });
  await assert.rejects(
    cluster.client.create({ ...configurations, namespace }, spec),
    /spec.brokerSpec.brokerTemplate.kind: Forbidden: .* a broker may be a ConfigMap, .*StatefulSet; make/,
  );
});

test("an agent that starts again takes nothing away that is still within its grace", async () => {
  const { client } = cluster;
  const first = await cluster.addNode("a", { handlers: [debugEcho] });
  const spec = echo({ presence: { graceSeconds: 3600 } });
  await client.create({ ...configurations, namespace }, spec);
  const before = await untilNames(pods, podNames);
  await first.stop();
  await cluster.addNode("a", { handlers: [{ ...debugEcho, discover: nothing }] });
  assert.match((await conditionIn(instances, "Online", "False")).message, /a does not see it/);
  assert.deepEqual(
    (await untilNames(pods, podNames)).map(({ metadata }) => metadata.uid),
    before.map(({ metadata }) => metadata.uid),
  );
});

test("a device whose path changed gets a new broker", async () => {
  let path = "/dev/video0";
  let changed = () => {};
  const camera: DiscoveryHandler = {
    name: "debugEcho",
    shared: false,
    async *discover({ signal }) {
      while (!signal.aborted) {
        const node = { containerPath: "/dev/video0", hostPath: path, permissions: "rw" };
        yield [{ id: "camera", properties: {}, mounts: [], nodes: [node] }];
        await new Promise<void>((resolve) => (changed = resolve));
      }
    },
  };
  await cluster.addNode("a", { handlers: [camera] });
  await cluster.client.create({ ...configurations, namespace }, echo());
  const [broker] = await cluster.until(pods, (all) => all.length === 1 && all);
  const target = { ...pods, namespace, name: broker!.metadata.name };
  path = "/dev/video1";
  changed();
  await cluster.until(
    pods,
    (all) =>
      all.some((pod) => pod.metadata.deletionTimestamp) ||
      all[0]?.metadata.uid !== broker!.metadata.uid,
  );
  await cluster.client.delete(target, { gracePeriodSeconds: 0 }).catch(() => {});
  await cluster.until(pods, (all) => all[0] && all[0].metadata.uid !== broker!.metadata.uid);
});
