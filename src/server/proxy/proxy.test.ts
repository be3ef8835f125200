import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { dialTcp } from "../../lib/dial-tcp.ts";
import { Scope } from "../../lib/scope.ts";
import type { Attributes } from "../policy.ts";
import { startListener, type TestListener } from "../test-listener.ts";
import { plugProxy } from "./proxy.ts";

let site: TestListener;
let backend: Server;
const asked: Attributes[] = [];
/** What the fake node was asked to dial. */
const dialled: string[] = [];

type Serve = (message: IncomingMessage, response: ServerResponse) => void;

const echo: Serve = (message, response) => {
  response.writeHead(200, { "content-type": "application/json", "x-pod": "yes" });
  const chunks: Buffer[] = [];
  message.on("data", (chunk) => chunks.push(chunk));
  message.on("end", () => {
    const { method, url, headers } = message;
    response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }));
  });
};

const page =
  '<a href="/here">x</a><img src=\'http://10.1.0.9:8080/pic?a=1\'><a href="rel">' +
  '<a href="https://elsewhere.example/x"><script src="/s.js">let a = "<a href=\\"/no\\">";</script>';

const pages: Record<string, Serve> = {
  "/redirect": (_message, response) => {
    response.writeHead(302, { location: "/there?a=1" }).end();
  },
  "/page": (_message, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
  },
  "/deny": (message, response) => {
    response.writeHead(401);
    response.end("not you", () => message.resume());
  },
  "/slow": (_message, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("first");
    response.on("close", () => backend.emit("slow-closed"));
  },
};

const pod = (name: string, podIP: string, rest: object = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name },
  spec: { nodeName: "edge-1", containers: [{ name: "c", ports: [{ containerPort: 8080 }] }] },
  status: { podIP, phase: "Running" },
  ...rest,
});

const endpoints = (name: string, subsets?: object[]) => ({
  apiVersion: "v1",
  kind: "Endpoints",
  metadata: { name, namespace: "default", uid: name },
  ...(subsets && { subsets }),
});

before(async () => {
  backend = createServer((message, response) =>
    (pages[message.url!.split("?")[0]!] ?? echo)(message, response),
  );
  backend.on("upgrade", (message: IncomingMessage, socket) => {
    if (message.url !== "/ws")
      return socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nno!\n");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\nhi ",
    );
    return socket.pipe(socket);
  });
  await once(backend.listen(0, "127.0.0.1"), "listening");
  const { port } = backend.address() as AddressInfo;
  const node = {
    dial: async (host: string, to: number) => {
      dialled.push(`${host}:${to}`);
      if (to === 81) throw new Error("connection refused");
      return dialTcp("127.0.0.1", port);
    },
  };
  const scope = new Scope();
  scope.defer(() => void backend.close());
  scope.defer(() => backend.closeAllConnections());
  site = await startListener(
    {
      nodeConnector: async () => node as any,
      authorize: async (_user, attributes) => {
        asked.push(attributes);
        return { allowed: attributes.name !== "secret", reason: "" };
      },
    },
    { scope },
  );
  plugProxy(site.server.plugs);
  await site.put("pods", pod("web", "10.1.0.9"));
  await site.put("pods", pod("local", "127.0.0.1"));
  await site.put("services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default", uid: "s" },
    spec: { ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  });
  const address = { ip: "10.1.0.9", targetRef: { kind: "Pod", name: "web" } };
  const ports = [{ name: "http", port: 8080 }];
  await site.put("endpoints", endpoints("web", [{ addresses: [address], ports }]));
  await site.put("endpoints", endpoints("idle"));
  const forged = { ip: "10.9.9.9", targetRef: { kind: "Pod", name: "web" } };
  await site.put("endpoints", endpoints("forged", [{ addresses: [forged], ports }]));
  await site.put("endpointslices.discovery.k8s.io", {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "sliced-1",
      namespace: "default",
      uid: "sl",
      labels: { "kubernetes.io/service-name": "sliced" },
    },
    endpoints: [
      { addresses: ["10.1.0.8"], conditions: { ready: false } },
      { addresses: ["10.1.0.9"], targetRef: { kind: "Pod", name: "web" } },
    ],
    ports: [{ name: "http", port: 8080 }],
  });
  await site.put("nodes", {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "edge-1", uid: "n" },
    status: { addresses: [{ type: "InternalIP", address: "192.168.1.5" }] },
  });
});

after(() => site.scope.close());

const base = "/api/v1/namespaces/default";

test("a request reaches the pod as it was sent, but for what belongs to the hop", async () => {
  for (const ask of [site.ask, site.ask2]) {
    const answer = await ask(`${base}/pods/web/proxy/a%2Fb/c/?x=1&y=%20z`, {
      method: "PUT",
      body: "hello",
      headers: {
        authorization: "Bearer t",
        "x-mine": "1",
        te: "trailers",
        "impersonate-user": "x",
      },
    });
    assert.equal(answer.code, 200);
    assert.equal(answer.headers["x-pod"], "yes");
    const got = JSON.parse(answer.text);
    assert.deepEqual([got.method, got.url, got.body], ["PUT", "/a%2Fb/c/?x=1&y=%20z", "hello"]);
    assert.equal(got.headers["x-mine"], "1");
    assert.equal(got.headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(got.headers["x-forwarded-uri"], `${base}/pods/web/proxy/a%2Fb/c/`);
    for (const name of ["authorization", "te", "impersonate-user"]) {
      assert.equal(got.headers[name], undefined, name);
    }
    assert.equal(dialled.at(-1), "10.1.0.9:8080");
  }
});

test("every method passes and is judged by the verb it stands for", async () => {
  const table = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };
  for (const [method, verb] of Object.entries(table)) {
    const answer = await site.ask(`${base}/services/web:http/proxy/x`, { method });
    assert.equal(JSON.parse(answer.text).method, method);
    const { name, subresource, resource } = asked.at(-1)!;
    assert.deepEqual(
      [asked.at(-1)!.verb, name, subresource, resource],
      [verb, "web:http", "proxy", "services"],
    );
  }
  assert.equal(
    (await site.ask(`${base}/pods/web/proxy/x`, { method: "HEAD" })).headers["x-pod"],
    "yes",
  );
  const large = "x".repeat(4 << 20);
  const answer = await site.ask(`${base}/pods/web/proxy/x`, { method: "POST", body: large });
  assert.equal(
    JSON.parse(answer.text).body.length,
    large.length,
    "no limit of ours on what passes",
  );
  assert.equal((await site.ask(`${base}/pods/secret/proxy/`)).code, 403);
});

test("names with schemes and ports lead where upstream leads them", async () => {
  const table: [string, number, string][] = [
    ["pods/web:9090", 200, "10.1.0.9:9090"],
    ["pods/http:web:9090", 200, "10.1.0.9:9090"],
    ["services/web:80", 200, "10.1.0.9:8080"],
    ["services/web:http", 200, "10.1.0.9:8080"],
    ["services/http:web:http", 200, "10.1.0.9:8080"],
    ["services/sliced:http", 200, "10.1.0.9:8080"],
    ["services/none:http", 404, 'endpoints "none" not found'],
    ["pods/ftp:web:1", 400, 'invalid pod request "ftp:web:1"'],
    ["pods/local", 400, "address not allowed"],
    ["pods/none", 404, 'pods "none" not found'],
    ["pods/web:81", 503, "error trying to reach service: connection refused"],
    ["services/web:81", 503, 'no service port 81 found for service "web"'],
    ["services/web:other", 503, 'no endpoints available for service "web:other"'],
    ["services/web", 503, 'no endpoints available for service "web"'],
    ["services/idle", 503, 'no endpoints available for service "idle"'],
    ["services/forged:http", 503, 'no endpoints available for service "forged:http"'],
  ];
  for (const [name, code, said] of table) {
    const answer = await site.ask(`${base}/${name}/proxy/x`);
    assert.equal(answer.code, code, `${name}: ${answer.text}`);
    if (code === 200) assert.equal(dialled.at(-1), said, name);
    else assert.equal(JSON.parse(answer.text).message, said, name);
  }
  assert.equal((await site.ask("/api/v1/nodes/edge-1:9100/proxy/metrics")).code, 200);
  assert.equal(dialled.at(-1), "192.168.1.5:9100");
});

test("redirects and links of pages lead back through the proxy", async () => {
  const prefix = `${base}/pods/web/proxy`;
  const bare = await site.ask(`${prefix}?a=1`);
  assert.deepEqual([bare.code, bare.headers["location"]], [301, `${prefix}/?a=1`]);
  const redirect = await site.ask(`${prefix}/redirect`);
  assert.deepEqual([redirect.code, redirect.headers["location"]], [302, `${prefix}/there?a=1`]);
  const { text } = await site.ask(`${prefix}/page`, { headers: { accept: "text/html" } });
  assert.equal(
    text,
    page
      .replace('"/here"', `"${prefix}/here"`)
      .replace("http://10.1.0.9:8080/pic", `${prefix}/pic`)
      .replace('"/s.js"', `"${prefix}/s.js"`),
  );
});

test("an answer streams, and ends at the pod when the caller leaves", async () => {
  const closed = once(backend, "slow-closed");
  const { connect } = await import("node:http2");
  const session = connect(`https://127.0.0.1:${site.port}`, {
    ca: site.ca,
    servername: "localhost",
  });
  const stream = session.request({ ":path": `${base}/pods/web/proxy/slow` });
  const [chunk] = await once(stream, "data");
  assert.equal(chunk.toString(), "first");
  stream.close();
  await closed;
  session.close();
});

test("an answer that comes before the whole body was read arrives", async () => {
  const body = Buffer.alloc(8 << 20);
  const answer = await site.ask2(`${base}/pods/web/proxy/deny`, { method: "POST", body });
  assert.deepEqual([answer.code, answer.text], [401, "not you"]);
});

test("upgrades pass bytes both ways, and a refusal of the pod is told and ends the connection", async () => {
  const upgraded: any = await site.upgrade(`${base}/pods/web/proxy/ws`, { upgrade: "echo" });
  assert.equal(upgraded.answer.headers.upgrade, "echo");
  upgraded.socket.write("there");
  let text = "";
  for await (const chunk of upgraded.socket) if ((text += chunk) === "hi there") break;
  const refused: any = await site.upgrade(`${base}/pods/web/proxy/other`, { upgrade: "echo" });
  assert.deepEqual(
    [refused.code, refused.text, refused.headers.connection],
    [403, "no!\n", "close"],
  );
});
