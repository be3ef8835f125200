import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { localClient } from "../../client/local.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { openPki } from "../auth/pki.ts";
import { type KeyPair } from "../auth/authority.ts";
import { testKind } from "../test-kinds.ts";
import { startListener, type TestListener } from "../test-listener.ts";
import { startAggregation } from "./aggregation.ts";

let site: TestListener;
let extension: Server;
let extensionCa: string;
const admin = { name: "admin", groups: ["system:masters"] };
/** What the extension server was asked, and by whom our certificate says it was asked. */
const seen: { url: string; headers: any; by: string | undefined }[] = [];
let discoveryCode = 200;

const resources = [
  {
    name: "nodes",
    singularName: "node",
    namespaced: false,
    kind: "NodeMetrics",
    verbs: ["get", "list"],
  },
  {
    name: "pods",
    singularName: "pod",
    namespaced: true,
    kind: "PodMetrics",
    verbs: ["get", "list"],
  },
  { name: "pods/boost", singularName: "", namespaced: true, kind: "PodMetrics", verbs: ["create"] },
];

const documents: Record<string, object> = {
  "/openapi/v2": {
    paths: { "/apis/metrics.k8s.io/v1beta1/nodes": { get: {} }, "/apis/other/v1": {} },
    definitions: {},
  },
  "/openapi/v3": {
    paths: { "apis/metrics.k8s.io/v1beta1": { serverRelativeURL: "/openapi/v3/own?hash=1" } },
  },
  "/openapi/v3/own": { openapi: "3.0.0", info: { title: "theirs" } },
};

const memory = () => {
  const files = new Map<string, string>();
  return {
    read: async (name: string) => files.get(name),
    write: async (name: string, data: string) => void files.set(name, data),
  };
};

/** Stands for metrics-server. */
async function startExtension(frontProxyCa: string): Promise<Server> {
  const host = "metrics.kube-system.svc";
  const pki = await openPki(memory(), { clock: systemClock, names: [host] });
  extensionCa = pki.ca();
  const server = createServer(
    {
      ...(pki.serving() as KeyPair),
      ca: frontProxyCa,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (message, response) => {
      const by = (message.socket as TLSSocket).getPeerCertificate().subject?.CN;
      seen.push({ url: message.url!, headers: message.headers, by: String(by) });
      const [path = ""] = message.url!.split("?");
      const list = path === "/apis/metrics.k8s.io/v1beta1";
      response.statusCode = list ? discoveryCode : 200;
      if (path.endsWith("/elsewhere")) {
        response.writeHead(302, { location: "https://169.254.169.254/" }).end();
      } else if (list) {
        const groupVersion = "metrics.k8s.io/v1beta1";
        response.end(JSON.stringify({ kind: "APIResourceList", groupVersion, resources }));
      } else if (message.url!.includes("watch=true")) {
        response.write('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n');
        response.end('{"type":"MODIFIED","object":{"metadata":{"name":"a"}}}\n');
      } else if (documents[path]) response.end(JSON.stringify(documents[path]));
      else response.end(JSON.stringify({ kind: "NodeMetricsList", path, items: [] }));
    },
  );
  server.on("upgrade", (message, socket) => {
    seen.push({ url: message.url!, headers: message.headers, by: undefined });
    const head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n";
    socket.write(`${head}hello`);
    socket.pipe(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

before(async () => {
  site = await startListener({
    authorize: async (user, { verb, resource }) => ({
      allowed: user.name !== "stranger" || verb === "list",
      reason: `no ${resource}`,
    }),
  });
  extension = await startExtension(site.pki.frontProxy().ca);
  site.scope.defer(() => {
    extension.close();
    extension.closeAllConnections();
  });
  await startAggregation({
    server: site.server,
    clock: systemClock,
    log: silent,
    scope: site.scope,
    identity: () => site.pki.frontProxy().pair,
  });
});

after(() => site.scope.close());

const client = () => localClient(site.server, admin);
const services = { group: "apiregistration.k8s.io", version: "v1", resource: "apiservices" };
const name = "v1beta1.metrics.k8s.io";

const apiService = (spec: object = {}) => ({
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name },
  spec: {
    group: "metrics.k8s.io",
    version: "v1beta1",
    groupPriorityMinimum: 100,
    versionPriority: 100,
    service: { name: "metrics", namespace: "kube-system" },
    caBundle: Buffer.from(extensionCa).toString("base64"),
    ...spec,
  },
});

/** Resolves once the APIService's condition has this reason. */
async function reason(wanted: string) {
  for await (const { object } of client().watch(services, { sendInitialEvents: true })) {
    const condition = (object as any).status?.conditions?.[0];
    if (object.metadata.name === name && condition?.reason === wanted) return condition;
  }
}

const where = { namespace: "kube-system", name: "metrics" };
const service = (port = 443) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { ...where, uid: "u" },
  spec: { type: "ClusterIP", clusterIP: "10.96.0.9", ports: [{ port }] },
});

test("every group version of this server has an APIService that is available", async () => {
  const { items } = await client().list(services);
  const names = items.map(({ metadata }) => metadata.name);
  for (const one of ["v1.", "v1.apps", "v2.autoscaling", "v1.rbac.authorization.k8s.io"]) {
    assert.ok(names.includes(one), one);
  }
  for (const { status } of items as any[]) {
    assert.deepEqual([status.conditions[0].status, status.conditions[0].reason], ["True", "Local"]);
  }
  await client().delete({ ...services, name: "v1.apps" });
  for await (const { type, object } of client().watch(services)) {
    if (type === "ADDED" && object.metadata.name === "v1.apps") break;
  }
});

test("a group that a definition adds has an APIService as long as it is served", async () => {
  const kind = testKind("stable.example.com", "v1", "CronTab", { schema: { type: "object" } });
  const until = async (wanted: string) => {
    for await (const { type, object } of client().watch(services)) {
      if (type === wanted && object.metadata.name === "v1.stable.example.com") return object as any;
    }
  };
  site.server.kinds.add(kind);
  const { metadata, spec } = await until("ADDED");
  assert.equal(metadata.labels["kube-aggregator.kubernetes.io/automanaged"], "true");
  assert.deepEqual([spec.groupPriorityMinimum, spec.versionPriority], [1000, 100]);
  site.server.kinds.remove(kind);
  await until("DELETED");
});

test("an APIService is available once its Service has endpoints that answer", async () => {
  await client().create(services, apiService());
  const none = await reason("ServiceNotFound");
  assert.equal(none.message, 'service/metrics in "kube-system" is not present');
  assert.equal((await site.ask("/apis/metrics.k8s.io/v1beta1/nodes")).code, 503);
  await site.put("services", service());
  const missing = await reason("EndpointsNotFound");
  assert.equal(missing.message, 'cannot find endpoints for service/metrics in "kube-system"');
  const { port } = extension.address() as AddressInfo;
  discoveryCode = 403;
  await site.put("endpoints", {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { ...where, uid: "e" },
    subsets: [{ addresses: [{ ip: "127.0.0.1" }], ports: [{ port }] }],
  });
  assert.match((await reason("FailedDiscoveryCheck")).message, /bad status from https:.*: 403$/);
  discoveryCode = 200;
  const current = await client().get({ ...services, name });
  await client().update(
    { ...services, name },
    { ...current, spec: { ...current.spec, versionPriority: 15 } },
  );
  assert.deepEqual((await reason("Passed")).message, "all checks passed");
});

test("requests go to the other server with our certificate and the caller's name", async () => {
  const path = "/apis/metrics.k8s.io/v1beta1/nodes?limit=5&labelSelector=a%3Db";
  const answer = await site.ask(path, {
    headers: { "x-test-user": "jane", "x-remote-user": "forged", "x-remote-extra-scope": "forged" },
  });
  assert.deepEqual(JSON.parse(answer.text).kind, "NodeMetricsList");
  const { url, headers, by } = seen.at(-1)!;
  assert.deepEqual([url, by], [path, "front-proxy-client"]);
  assert.deepEqual([headers["x-remote-user"], headers["x-remote-group"]], ["jane", "testers"]);
  assert.equal(headers["x-remote-extra-scope"], undefined);
  assert.equal(headers.host, "metrics.kube-system.svc");
});

test("discovery tells both servers' resources, in the order of their priorities", async () => {
  const { groups } = JSON.parse((await site.ask("/apis")).text);
  assert.equal(groups[0].name, "apiregistration.k8s.io");
  assert.equal(groups[1].name, "apps");
  assert.deepEqual(groups.at(-1), {
    name: "metrics.k8s.io",
    versions: [{ groupVersion: "metrics.k8s.io/v1beta1", version: "v1beta1" }],
    preferredVersion: { groupVersion: "metrics.k8s.io/v1beta1", version: "v1beta1" },
  });
  const group = JSON.parse((await site.ask("/apis/metrics.k8s.io")).text);
  assert.equal(group.preferredVersion.version, "v1beta1");
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const { items } = JSON.parse((await site.ask("/apis", { headers: { accept } })).text);
  const [version] = items.at(-1).versions;
  assert.deepEqual([version.version, version.freshness], ["v1beta1", "Current"]);
  const [nodes, pods] = version.resources;
  assert.deepEqual([nodes.resource, nodes.scope], ["nodes", "Cluster"]);
  assert.deepEqual(nodes.responseKind, {
    group: "metrics.k8s.io",
    version: "v1beta1",
    kind: "NodeMetrics",
  });
  assert.equal(pods.subresources[0].subresource, "boost");
});

test("what others publish of themselves is published with ours", async () => {
  const read = async (path: string) => JSON.parse((await site.ask(path)).text);
  const { paths } = await read("/openapi/v3");
  assert.ok(paths["apis/apps/v1"]);
  const at = paths["apis/metrics.k8s.io/v1beta1"].serverRelativeURL;
  assert.equal(at, "/openapi/v3/apis/metrics.k8s.io/v1beta1?hash=1");
  assert.equal((await read(at)).info.title, "theirs");
  const swagger = await read("/openapi/v2");
  assert.ok(swagger.paths["/apis/metrics.k8s.io/v1beta1/nodes"]);
  assert.ok(swagger.paths["/apis/apps/v1/deployments"]);
  assert.equal(swagger.paths["/apis/other/v1"], undefined);
});

test("who may not is refused here, by the verb and resource of the path", async () => {
  const root = "/apis/metrics.k8s.io/v1beta1";
  const headers = { "x-test-user": "stranger" };
  assert.equal((await site.ask(`${root}/nodes`, { headers })).code, 200);
  const refused = await site.ask(`${root}/namespaces/x/pods/a`, { headers });
  assert.equal(
    JSON.parse(refused.text).message,
    'pods.metrics.k8s.io "a" is forbidden: User "stranger" cannot get resource "pods" in API group ' +
      '"metrics.k8s.io" in the namespace "x": no pods',
  );
});

test("connections that upgrade are passed on too, with the caller's name", async () => {
  const path = "/apis/metrics.k8s.io/v1beta1/namespaces/x/pods/a/exec";
  const { answer, socket } = (await site.upgrade(path, { upgrade: "echo" })) as any;
  assert.equal(answer.headers.upgrade, "echo");
  assert.equal(String((await once(socket, "data"))[0]), "hello");
  socket.write("back");
  assert.equal(String((await once(socket, "data"))[0]), "back");
  socket.destroy();
  // The server asks for discovery of its own accord meanwhile.
  const upgraded = seen.find(({ url }) => url === path);
  assert.equal(upgraded?.headers["x-remote-user"], "tester");
});

test("an answer that leads elsewhere is not passed on", async () => {
  const answer = await site.ask("/apis/metrics.k8s.io/v1beta1/elsewhere");
  assert.equal(answer.code, 502);
  assert.match(answer.text, /the backend attempted to redirect this request/);
});

test("clients in this process read and watch the other server as any other", async () => {
  const target = { group: "metrics.k8s.io", version: "v1beta1", resource: "nodes" };
  assert.equal(((await client().list(target)) as any).kind, "NodeMetricsList");
  const events = [];
  for await (const event of client().watch(target)) events.push(event.type);
  assert.deepEqual(events, ["ADDED", "MODIFIED"]);
});

test("APIServices that cannot be are refused by field", async () => {
  const bad = apiService({ version: "v2", groupPriorityMinimum: 0, insecureSkipTLSVerify: true });
  await assert.rejects(client().create(services, bad), (error: any) => {
    const fields = error.details.causes.map((cause: any) => cause.field);
    assert.deepEqual(fields, [
      "metadata.name",
      "spec.groupPriorityMinimum",
      "spec.insecureSkipTLSVerify",
    ]);
    return true;
  });
});
