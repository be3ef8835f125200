// Components of WASI preview 2: a handler of wasi:http as a server behind a Service.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { buildHandler } from "../support/wasm-component.ts";

let site: Site;

before(async () => {
  site = await startSite("--name", "handlers");
  const folder = join(site.directory, "modules");
  mkdirSync(folder);
  for (const version of [1, 2]) {
    const file = join(folder, `web-${version}.wasm`);
    await buildHandler(file, `version ${version} of `);
    await site.kerb("image", "import", file, "--name", `web:${version}`);
  }
  await site.apply(manifest);
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
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
        livenessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
        resources: {limits: {memory: 32Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`;

const address = async () => (await site.get("service", "web")).spec.clusterIP as string;

test("a component that exports wasi:http serves behind a Service, with probes", async () => {
  const ip = await address();
  const answer = await fetch(`http://${ip}/some/path?and=query`);
  assert.equal(answer.headers.get("content-type"), "text/plain");
  assert.equal(await answer.text(), "version 1 of /some/path?and=query\n");
});

test("one that traps answers, is told of, and goes on with a new instance", async () => {
  const ip = await address();
  await fetch(`http://${ip}/trap`).then((answer) => answer.text());
  await fetch(`http://${ip}/trap`).then((answer) => answer.text());
  assert.equal(await (await fetch(`http://${ip}/after`)).text(), "version 1 of /after\n");
  for (const { metadata, status } of (await site.get("pods", "-l", "app=web")).items) {
    assert.equal(status.containerStatuses[0].restartCount, 0, metadata.name);
  }
});

test("a rolling update under load loses no request", async () => {
  const ip = await address();
  const seen = new Map<string, number>();
  const failures: string[] = [];
  let isDone = false;
  const client = async () => {
    while (!isDone) {
      try {
        const answer = await fetch(`http://${ip}/x`, { headers: { connection: "close" } });
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
  await site.kubectl(["set", "image", "deployment/web", "web=web:2"]);
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=90s"]);
  const gone = async () => (await site.get("pods", "-l", "app=web")).items.length === 3;
  await eventually(gone, "the old pods go");
  isDone = true;
  await Promise.all(clients);
  assert.deepEqual(failures, []);
  assert.ok((seen.get("version 1 of /x\n") ?? 0) > 0 && (seen.get("version 2 of /x\n") ?? 0) > 0);
});

test("what is no component that can be run is refused when it is imported", async () => {
  const file = join(site.directory, "broken.wasm");
  writeFileSync(file, Buffer.from("0061736d0d000100ff", "hex"));
  const import_ = site.kerb("image", "import", file, "--name", "broken:1");
  await assert.rejects(import_, /broken\.wasm is no component that can be run/);
});
