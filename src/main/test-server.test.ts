import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { startServer as published } from "kerb/testing";
import { resource } from "../client/client.ts";
import { startServer, type ClientConfig } from "./test-server.ts";

const root = join(import.meta.dirname, "../..");
const pods = { ...resource("v1", "pods"), namespace: "default" };
const deployments = { ...resource("apps/v1", "deployments"), namespace: "default" };
const replicaSets = { ...resource("apps/v1", "replicasets"), namespace: "default" };
const labels = { app: "web" };
const template = {
  metadata: { labels },
  spec: { containers: [{ name: "main", image: "web" }] },
};
const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec: template.spec };

const get = ({ server, ...tls }: ClientConfig, path: string) =>
  new Promise<{ code: number | undefined; body: any }>((resolve, reject) => {
    const asked = request(`${server}${path}`, { ...tls, agent: false }, async (answer) => {
      resolve({ code: answer.statusCode, body: JSON.parse(await text(answer)) });
    });
    asked.on("error", reject).end();
  });

test("a server in process is a real one, over TLS too, and its types are the published ones", async () => {
  // What users compile against and what they get are one.
  const start: typeof published = startServer;
  await using server = await start();
  await server.client().create(pods, pod);
  const { code, body } = await get(server.config!, "/api/v1/namespaces/default/pods");
  assert.equal(code, 200);
  assert.equal(body.items[0].metadata.name, "web");
  assert.match(server.kubeconfig, /current-context/);
});

test("a second server knows nothing of the first, and listens only when it should", async () => {
  await using first = await startServer({ listen: false });
  await using second = await startServer({ listen: false });
  assert.equal(first.config, undefined);
  await first.client().create(pods, pod);
  assert.equal((await second.client().list(pods)).items.length, 0);
});

test("controllers run when they are asked for", async () => {
  await using server = await startServer({ listen: false, controllers: true });
  const client = server.client();
  await client.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: { selector: { matchLabels: labels }, template },
  });
  for await (const { object } of client.watch(replicaSets)) {
    assert.equal(object.metadata.ownerReferences[0].name, "web");
    break;
  }
});

test("the example of the manual passes", async () => {
  const manual = readFileSync(join(root, "docs/testing.md"), "utf8");
  const [, example] = /```ts\n([^]*?)```/.exec(manual)!;
  mkdirSync(join(root, ".cache"), { recursive: true });
  const directory = mkdtempSync(join(root, ".cache/example-"));
  try {
    writeFileSync(join(directory, "doors.test.ts"), example!);
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const output = await new Promise<string>((resolve, reject) => {
      const options = { cwd: directory, env };
      execFile(process.execPath, ["--test", "doors.test.ts"], options, (error, stdout) =>
        error ? reject(new Error(stdout)) : resolve(stdout),
      );
    });
    assert.match(output, /pass 3/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
