import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { decodeProtobuf } from "../protobuf/decode.ts";
import { fieldsOf } from "../protobuf/wire.ts";
import { startListener, type TestListener } from "../test-listener.ts";

let site: TestListener;
const asked: string[] = [];

before(async () => {
  site = await startListener({
    authorize: async (user, { verb, resource, name }) => {
      asked.push(`${user.name} ${verb} ${resource} ${name}`);
      return { allowed: user.name !== "stranger", reason: "" };
    },
  });
  for (const name of ["one", "two"]) {
    await site.put("configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: "default", uid: name },
    });
  }
});

after(() => site.scope.close());

const open = (path: string, protocols: string[] = [], headers = {}) =>
  new WebSocket(`wss://127.0.0.1:${site.port}${path}`, protocols, {
    ca: site.ca,
    headers,
  });

async function messages(socket: WebSocket, count: number) {
  const found: { data: Buffer; binary: boolean }[] = [];
  await new Promise<void>((resolve) => {
    socket.on("message", (data: Buffer, binary) => {
      found.push({ data, binary });
      if (found.length === count) resolve();
    });
  });
  socket.close();
  await once(socket, "close");
  return found;
}

const path = "/api/v1/namespaces/default/configmaps?watch=true";

test("a watch over a WebSocket has a text message for each event", async () => {
  const found = await messages(open(path), 2);
  const events = found.map(({ data, binary }) => ({ binary, ...JSON.parse(data.toString()) }));
  assert.deepEqual(
    events.map(({ binary, type, object }) => [binary, type, object.metadata.name]),
    [
      [false, "ADDED", "one"],
      [false, "ADDED", "two"],
    ],
  );
});

test("in protobuf the messages are binary, and hold one event each", async () => {
  const accept = "application/vnd.kubernetes.protobuf";
  const [first] = await messages(open(path, ["x"], { accept }), 2);
  assert.equal(first!.binary, true);
  const [type, object] = [...fieldsOf(first!.data)];
  assert.equal(Buffer.from(type!.bytes).toString(), "ADDED");
  const [raw] = [...fieldsOf(object!.bytes)];
  assert.equal(decodeProtobuf(raw!.bytes)["metadata"].name, "one");
});

test("the old path of one object's watch works over WebSockets too", async () => {
  const old = "/api/v1/watch/namespaces/default/configmaps/two";
  const [event] = await messages(open(old), 1);
  assert.equal(JSON.parse(event!.data.toString()).object.metadata.name, "two");
  assert.equal(asked.at(-1), "tester watch configmaps two");
});

test("a browser's token comes as a protocol, and is never chosen", async () => {
  const token = `base64url.bearer.authorization.k8s.io.${Buffer.from("jane").toString("base64url")}`;
  const socket = open(path, [token, "chat"]);
  await once(socket, "open");
  assert.equal(socket.protocol, "chat");
  assert.equal(asked.at(-1), "jane watch configmaps ");
  await messages(socket, 1).catch(() => {});
  const alone: any = await site.upgrade(path, {
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": Buffer.alloc(16).toString("base64"),
    "sec-websocket-protocol": token,
  });
  assert.deepEqual(
    [alone.code, JSON.parse(alone.text).message],
    [400, "missing additional subprotocol"],
  );
});
