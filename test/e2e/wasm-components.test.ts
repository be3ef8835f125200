// Components of WASI preview 2: a handler of wasi:http as a server behind a Service.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { buildDatagrams, buildHandler, buildStreamingHandler } from "../support/wasm-component.ts";
import { importModule } from "../support/wasm-module.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "handlers");
  const folder = join(site.directory, "modules");
  mkdirSync(folder, { recursive: true });
  const handler = (version: number) => (file: string) =>
    buildHandler(file, `version ${version} of `);
  const all: [string, (file: string) => Promise<void>][] = [
    ["web:1", handler(1)],
    ["web:2", handler(2)],
    ["stream:1", buildStreamingHandler],
    ["datagrams:1", buildDatagrams],
  ];
  const importing = all.map(async ([name, build]) => {
    const file = join(folder, `${name.replace(":", "-")}.wasm`);
    await build(file);
    await site.kerb("image", "import", file, "--name", name);
  });
  await Promise.all(importing);
  await site.apply(manifest);
  await site.apply(streaming);
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
});
after(() => site.remove());

const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: web}}
    spec:
      runtimeClassName: wasm
      containers:
      - name: web
        image: web:1
        env: [{name: PORT, value: "8000"}]
        ports: [{name: http, containerPort: 8000}]
        readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
        livenessProbe: {tcpSocket: {port: http}, periodSeconds: 1, failureThreshold: 30}
        resources: {limits: {memory: 32Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`;

const streaming = `
apiVersion: v1
kind: Pod
metadata: {name: stream, annotations: {kerb.dev/wasm-concurrency: "4", kerb.dev/wasm-pool: "2"}}
spec:
  runtimeClassName: wasm
  containers:
  - name: stream
    image: stream:1
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    resources: {limits: {memory: 32Mi}}
`;

/** As fetch, which would wait for five minutes. */
const ask = (url: string, options: RequestInit = {}) =>
  fetch(url, { ...options, signal: AbortSignal.timeout(60_000) });

const address = async () => (await site.get("service", "web")).spec.clusterIP as string;

test("a component that exports wasi:http serves behind a Service, with probes", async () => {
  const ip = await address();
  const answer = await ask(`http://${ip}/some/path?and=query`);
  assert.equal(answer.headers.get("content-type"), "text/plain");
  assert.equal(await answer.text(), "version 1 of /some/path?and=query\n");
  const removing = site.kerb("image", "remove", "web:1");
  await assert.rejects(removing, /used by pods default\/web-.*, default\/web-.*; with --force/);
});

test("an old module asks a Service by wasi_experimental_http, and no origin that is not allowed", async () => {
  await importModule(site, "test/wasm/ask.c", "ask:1");
  const pod = (name: string, domains: string) =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, annotations: { "alpha.wasi.krustlet.dev/allowed-domains": domains } },
      spec: {
        // The class of runwasi's shim.
        runtimeClassName: "wasmtime",
        restartPolicy: "Never",
        containers: [{ name: "main", image: "ask:1", args: ["http://web/a", "http://other/"] }],
      },
    });
  const runtimeClass = { apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", handler: "wasmtime" };
  await site.apply(JSON.stringify({ ...runtimeClass, metadata: { name: "wasmtime" } }));
  await site.apply(pod("asker", '["http://web"]'));
  await site.apply(pod("wrong", "web"));
  await site.kubectl([
    ...["wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/asker", "--timeout=120s"],
  ]);
  const said = await site.kubectl(["logs", "asker"]);
  assert.match(said, /^http:\/\/web\/a: 200 version 1 of \/a\nhttp:\/\/other\/: error 7$/m);
  await eventually(
    async () =>
      /allowed-domains must be a JSON array/.test(
        JSON.stringify((await site.get("pod", "wrong")).status.containerStatuses),
      ),
    "the wrong annotation is named",
  );
});

test("a command waits for a clock and for datagrams, and has a network of its pod", async () => {
  const containers = [{ name: "main", image: "datagrams:1" }];
  const spec = { runtimeClassName: "wasm", restartPolicy: "Never", containers };
  const metadata = { name: "datagrams" };
  await site.apply(JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata, spec }));
  const wait = "--for=jsonpath={.status.phase}=Succeeded";
  await site.kubectl(["wait", wait, "pod/datagrams", "--timeout=120s"]);
  assert.equal(await site.kubectl(["logs", "datagrams"]), "a datagram\n");
});

test("one that traps answers, is told of, and goes on with a new instance", async () => {
  const ip = await address();
  await ask(`http://${ip}/trap`).then((answer) => answer.text());
  await ask(`http://${ip}/trap`).then((answer) => answer.text());
  assert.equal(await (await ask(`http://${ip}/after`)).text(), "version 1 of /after\n");
  for (const { metadata, status } of (await site.get("pods", "-l", "app=web")).items) {
    const { restartCount, lastState } = status.containerStatuses[0];
    assert.equal(restartCount, 0, `${metadata.name} ${JSON.stringify(lastState)}`);
  }
});

test("bodies stream through an instance, others are answered meanwhile, and what waits holds nobody up", async () => {
  await site.kubectl(["wait", "--for=condition=Ready", "pod/stream", "--timeout=120s"]);
  const host = (await site.get("pod", "stream")).status.podIP;
  const headers = { trailer: "x-sum", "transfer-encoding": "chunked" };
  const asked = request({ host, port: 8080, method: "POST", headers });
  asked.write("first");
  const [response] = await once(asked, "response");
  const ended = once(response, "end");
  let received = 0;
  response.on("data", (piece: Buffer) => (received += piece.length));
  await once(response, "data");
  // The other one sleeps for a second, which on a busy machine may be over before anything is answered.
  const overtakes = async () => {
    let isOver = false;
    const slow = ask(`http://${host}:8080/sleep`).then(() => (isOver = true));
    const quick = await ask(`http://${host}:8080/`, { method: "POST", body: "quick" });
    const isFirst = (await quick.text()) === "quick" && !isOver;
    await slow;
    return isFirst;
  };
  await eventually(overtakes, "an answer before that of one that sleeps");
  // More than the pod's memory would hold.
  const piece = Buffer.alloc(1 << 20, "x");
  for (let i = 0; i < 100; i++) if (!asked.write(piece)) await once(asked, "drain");
  asked.addTrailers({ "x-sum": "42" });
  asked.end();
  await ended;
  assert.deepEqual([received, response.trailers], [5 + 100 * piece.length, { "x-sum": "42" }]);
  const { status } = await site.get("pod", "stream");
  assert.equal(status.containerStatuses[0].restartCount, 0);
});

test("a handler that sleeps is woken by a request, and sleeps again when nobody asks", async () => {
  const [deployment, service] = manifest
    .replaceAll("web}", "nap}")
    .replace("replicas: 3", "replicas: 0")
    .split("---");
  const sleeps = 'annotations: {kerb.dev/scale-to-zero: nap, kerb.dev/idle-seconds: "2"}';
  const sleeping = service!
    .replace("name: nap", `name: nap, ${sleeps}`)
    .replace("selector: {app: nap}", "")
    .replace("targetPort: http", "targetPort: 8000");
  await site.apply(`${deployment}---${sleeping}`);
  const ip = (await site.get("service", "nap")).spec.clusterIP;
  const replicas = async () => (await site.get("deployment", "nap")).spec.replicas;
  const woken = async () => {
    const answer = await ask(`http://${ip}/woken`, { headers: { connection: "close" } });
    return answer.text();
  };
  await eventually(() => woken().then((text) => text === "version 1 of /woken\n"), "it wakes");
  // It stays awake as long as somebody is connected.
  const client = connect(80, ip);
  try {
    await once(client, "connect");
    await eventually(async () => (await replicas()) === 1, "it is awake");
  } finally {
    client.destroy();
  }
  await eventually(async () => (await replicas()) === 0, "it sleeps again");
});

test("a rolling update under load loses no request", async () => {
  const ip = await address();
  const seen = new Map<string, number>();
  const failures: string[] = [];
  let isDone = false;
  const client = async () => {
    while (!isDone) {
      try {
        const answer = await ask(`http://${ip}/x`, { headers: { connection: "close" } });
        const text = await answer.text();
        seen.set(text, (seen.get(text) ?? 0) + 1);
        if (!answer.ok) failures.push(`${answer.status} ${text}`);
      } catch (error) {
        failures.push(String((error as Error).cause ?? error));
      }
      await setTimeout(5);
    }
  };
  const clients = [client(), client(), client()];
  try {
    await site.kubectl(["set", "image", "deployment/web", "web=web:2"]);
    await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
    const gone = async () => (await site.get("pods", "-l", "app=web")).items.length === 3;
    await eventually(gone, "the old pods go");
  } finally {
    // Clients that go on would keep the test for ever.
    isDone = true;
    await Promise.all(clients);
  }
  assert.deepEqual(failures, []);
  assert.ok((seen.get("version 1 of /x\n") ?? 0) > 0 && (seen.get("version 2 of /x\n") ?? 0) > 0);
});

test("what is no component that can be run is refused when it is imported", async () => {
  const file = join(site.directory, "broken.wasm");
  writeFileSync(file, Buffer.from("0061736d0d000100ff", "hex"));
  const import_ = site.kerb("image", "import", file, "--name", "broken:1");
  await assert.rejects(import_, /broken\.wasm is no component that can be run/);
});
