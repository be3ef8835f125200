import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AdmissionRequest, Attributes } from "./policy.ts";
import { plugStreams } from "./streams/streams.ts";
import { startListener, type TestListener } from "./test-listener.ts";

let site: TestListener;
const admitted: AdmissionRequest[] = [];
const asked: Attributes[] = [];

before(async () => {
  site = await startListener({
    authorize: async (user, attributes) => {
      asked.push(attributes);
      return { allowed: user.name !== "reader" || attributes.verb === "get", reason: "" };
    },
    admission: [{ name: "Watcher", validate: async (request) => void admitted.push(request) }],
  });
  plugStreams(site.server.plugs);
  await site.put("pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default", uid: "u" },
    spec: { nodeName: "edge-1", containers: [{ name: "main" }] },
    status: { phase: "Running" },
  });
});

after(() => site.scope.close());

const socket = {
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": Buffer.alloc(16).toString("base64"),
};
const pod = "/api/v1/namespaces/default/pods/web";

test("a WebSocket begins with GET, and still needs the right to create", async () => {
  const headers = { ...socket, "x-test-user": "reader" };
  const { code, text }: any = await site.upgrade(`${pod}/exec?command=sh&stdout=true`, headers);
  assert.equal(code, 403);
  assert.match(text, /cannot create resource \\"pods\/exec\\"/);
  assert.deepEqual(
    asked.slice(-2).map(({ verb }) => verb),
    ["get", "create"],
  );
});

test("admission sees the options of a connection as an object of their kind", async () => {
  const table: [string, object][] = [
    [
      "exec?command=sh&command=-c&stdin=true&tty=1&container=main",
      { kind: "PodExecOptions", stdin: true, tty: true, container: "main", command: ["sh", "-c"] },
    ],
    ["attach?stdout=true&stderr=false", { kind: "PodAttachOptions", stdout: true }],
    ["portforward?ports=80,81", { kind: "PodPortForwardOptions", ports: [80, 81] }],
  ];
  for (const [path, options] of table) {
    await site.upgrade(`${pod}/${path}`, socket);
    const { operation, object, name, subresource } = admitted.at(-1)!;
    assert.deepEqual([operation, name, subresource], ["CONNECT", "web", path.split("?")[0]]);
    assert.deepEqual(object, { apiVersion: "v1", ...options });
  }
});
