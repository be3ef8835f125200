import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import http2 from "node:http2";
import https from "node:https";
import { Kinds } from "../../kinds/kinds.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { StatusError } from "../../lib/status-error.ts";
import { memoryStore } from "../../store/memory.ts";
import { openPki } from "../auth/pki.ts";
import { createServer, type ApiServer } from "../server.ts";
import { testKind } from "../test-kinds.ts";
import { listen, type Listener } from "./listener.ts";

let server: ApiServer;
let listener: Listener;
let ca: string;

interface Answer {
  code: number;
  headers: Record<string, any>;
  text: string;
}

before(async () => {
  const kinds = new Kinds();
  kinds.add(testKind("", "v1", "ConfigMap", { plural: "configmaps" }));
  server = createServer({
    store: memoryStore(),
    kinds,
    clock: systemClock,
    random: seededRandom(1),
    log: silent,
  });
  server.plugs.paths.set("/panic", () => Promise.reject(new Error("unexpected")));
  const files = new Map<string, string>();
  const storage = {
    read: async (name: string) => files.get(name),
    write: async (name: string, data: string) => void files.set(name, data),
  };
  const pki = await openPki(storage, { clock: systemClock, names: ["127.0.0.1"] });
  ca = pki.ca();
  listener = await listen(server, {
    port: 0,
    tls: { ...pki.serving(), clientCa: ca },
    authenticate: async ({ headers }) => {
      if (headers["authorization"] === "Bearer wrong") {
        throw new StatusError("Unauthorized", "Unauthorized");
      }
      return { name: "tester", groups: [] };
    },
    clock: systemClock,
    log: silent,
  });
});

after(async () => {
  server.close();
  await listener.close();
});

type Send = { method?: string; body?: string | Buffer; headers?: Record<string, string> };

/** Asks over HTTP/1.1 on a connection of its own. */
const ask1 = (path: string, { method = "GET", body, headers = {} }: Send = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const options = {
      port: listener.port,
      host: "127.0.0.1",
      path,
      method,
      headers,
      ca,
      agent: false,
    };
    const request = https.request(
      { ...options, servername: "localhost" } as https.RequestOptions,
      (response) => {
        let text = "";
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () =>
          resolve({ code: response.statusCode!, headers: response.headers, text }),
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });

/** Asks over HTTP/2. */
const ask2 = (path: string, { method = "GET", body, headers = {} }: Send = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const session = http2.connect(`https://127.0.0.1:${listener.port}`, {
      ca,
      servername: "localhost",
    });
    session.on("error", reject);
    const stream = session.request({ ":path": path, ":method": method, ...headers });
    let text = "";
    let answer: any = {};
    stream.on("response", (head) => (answer = head));
    stream.on("data", (chunk) => (text += chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve({ code: answer[":status"], headers: answer, text });
    });
    stream.end(body);
  });

const json = { "content-type": "application/json" };
const path = "/api/v1/namespaces/default/configmaps";
const map = (name: string, data: object = {}) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });

for (const [version, ask] of [
  ["HTTP/1.1", ask1],
  ["HTTP/2", ask2],
] as const) {
  test(`objects are written and read over ${version}`, async () => {
    const name = version === "HTTP/2" ? "two" : "one";
    const made = await ask(path, { method: "POST", body: map(name, { a: "ü" }), headers: json });
    assert.equal(made.code, 201);
    const read = await ask(`${path}/${name}`);
    assert.equal(read.text, made.text);
    assert.equal(JSON.parse(read.text).data.a, "ü");
    const yaml = await ask(`${path}/${name}`, { headers: { accept: "application/yaml" } });
    assert.match(yaml.text, /^apiVersion: v1$/m);
    const pretty = await ask(`${path}/${name}?pretty=true`);
    assert.match(pretty.text, /^ {2}"kind": "ConfigMap"/m);
  });

  test(`errors are Status objects over ${version}`, async () => {
    const cases: [string, Send, number, string][] = [
      [`${path}/none`, {}, 404, "NotFound"],
      ["/nowhere", {}, 404, "NotFound"],
      ["/%zz", {}, 400, "BadRequest"],
      ["/panic", {}, 500, "InternalError"],
      [path, { headers: { authorization: "Bearer wrong" } }, 401, "Unauthorized"],
      [path, { headers: { accept: "text/html" } }, 406, "NotAcceptable"],
      [path, { method: "POST", headers: json, body: "{" }, 400, "BadRequest"],
      [
        path,
        { method: "POST", headers: json, body: "[".repeat(9999) + "]".repeat(9999) },
        400,
        "BadRequest",
      ],
      [
        path,
        { method: "POST", headers: { "content-type": "text/csv" }, body: "a" },
        415,
        "UnsupportedMediaType",
      ],
      [
        path,
        { method: "POST", headers: json, body: map("big", { a: "x".repeat(8 << 20) }) },
        413,
        "RequestEntityTooLarge",
      ],
    ];
    for (const [url, send, code, reason] of cases) {
      const answer = await ask(url, send);
      assert.equal(answer.code, code, `${url}: ${answer.text.slice(0, 200)}`);
      assert.deepEqual(
        [JSON.parse(answer.text).kind, JSON.parse(answer.text).reason],
        ["Status", reason],
      );
    }
  });
}

test("a watch streams one line per change, and ends when the server stops it", async () => {
  const session = http2.connect(`https://127.0.0.1:${listener.port}`, {
    ca,
    servername: "localhost",
  });
  const list = JSON.parse((await ask2(path)).text);
  const stream = session.request({
    ":path": `${path}?watch=true&resourceVersion=${list.metadata.resourceVersion}&timeoutSeconds=1`,
  });
  const ended = new Promise((resolve) => stream.on("end", resolve));
  let text = "";
  stream.on("data", (chunk) => (text += chunk));
  await new Promise((resolve) => stream.on("response", resolve));
  await ask2(path, { method: "POST", body: map("seen"), headers: json });
  await ask2(`${path}/seen`, { method: "DELETE" });
  await ended;
  session.close();
  const types = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).type);
  assert.deepEqual(types, ["ADDED", "DELETED"]);
});

test("discovery names what is served, and an unchanged answer is not sent again", async () => {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const first = await ask2("/api", { headers: { accept } });
  const { items } = JSON.parse(first.text);
  assert.equal(items[0].versions[0].resources[0].resource, "configmaps");
  const headers = { accept, "if-none-match": first.headers["etag"] };
  const again = await ask2("/api", { headers });
  assert.deepEqual([again.code, again.text], [304, ""]);
});

test("metrics are told", async () => {
  assert.match((await ask2("/metrics")).text, /apiserver_request_total\{.*resource="configmaps"/);
});
