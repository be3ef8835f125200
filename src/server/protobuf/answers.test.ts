import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { after, before, test } from "node:test";
import { encodeBody } from "../encode.ts";
import { testKind } from "../test-kinds.ts";
import { startListener, type TestListener } from "../test-listener.ts";
import { decodeProtobuf } from "./decode.ts";
import { fieldsOf } from "./wire.ts";

let site: TestListener;
const protobuf = "application/vnd.kubernetes.protobuf";
const accept = (text: string) => ({ headers: { accept: text } });
const path = "/api/v1/namespaces/default/configmaps";

const map = (name: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", uid: `uid-${name}`, labels: { a: "b" } },
  data: { key: "välue" },
});

before(async () => {
  site = await startListener();
  site.server.kinds.add(testKind("stable.example.com", "v1", "CronTab"));
  for (const name of ["one", "two"]) await site.put("configmaps", map(name));
});

after(() => site.scope.close());

test("objects, lists and metadata are answered in the binary form, equal to their JSON", async () => {
  const metadata = "as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
  for (const url of [path, `${path}/one`, `${path}?labelSelector=a%3Db`, `${path}?limit=1`]) {
    for (const as of ["", `;${metadata}`]) {
      const json = await site.ask(url, accept(`application/json${as}`));
      const binary = await site.ask(url, accept(`${protobuf}${as},application/json`));
      assert.equal(binary.headers["content-type"], protobuf);
      const expected = JSON.parse(json.text);
      // The items of a binary list do not tell their type: the list's own says it.
      for (const item of expected.items ?? []) {
        delete item.apiVersion;
        delete item.kind;
      }
      assert.deepEqual(decodeProtobuf(binary.bytes), expected, url + as);
    }
  }
});

test("a refusal is a Status in the binary form", async () => {
  const { code, headers, bytes } = await site.ask(`${path}/none`, accept(protobuf));
  assert.deepEqual([code, headers["content-type"]], [404, protobuf]);
  const status = decodeProtobuf(bytes);
  assert.deepEqual(
    [status["kind"], status["reason"], status["details"].name],
    ["Status", "NotFound", "none"],
  );
});

test("a Table is never binary, and custom objects have no binary form", async () => {
  const table = "as=Table;g=meta.k8s.io;v=v1";
  const answer = await site.ask(path, accept(`${protobuf};${table},application/json;${table}`));
  assert.equal(JSON.parse(answer.text).kind, "Table");
  const custom = "/apis/stable.example.com/v1/crontabs";
  const refused = await site.ask(custom, accept(protobuf));
  assert.equal(refused.code, 406);
  const json = await site.ask(custom, accept(`${protobuf},application/json`));
  assert.equal(JSON.parse(json.text).kind, "CronTabList");
  const only = accept(`${protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`);
  const metadata = decodeProtobuf((await site.ask(custom, only)).bytes);
  assert.equal(metadata["kind"], "PartialObjectMetadataList");
});

/** The events in frames of four bytes of length and a WatchEvent. */
function eventsIn(bytes: Buffer) {
  const events: { type: string; object: any }[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    const [type, object] = [...fieldsOf(bytes.subarray(at + 4, end))];
    const [raw] = [...fieldsOf(object!.bytes)];
    events.push({ type: Buffer.from(type!.bytes).toString(), object: decodeProtobuf(raw!.bytes) });
    at = end;
  }
  return events;
}

test("a watch comes in frames", async () => {
  const session = http2.connect(`https://127.0.0.1:${site.port}`, {
    ca: site.ca,
    servername: "localhost",
  });
  const query =
    "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
  const stream = session.request({
    ":path": `${path}?${query}`,
    accept: `${protobuf};stream=watch`,
  });
  const [head] = await once(stream, "response");
  assert.equal(head["content-type"], `${protobuf};stream=watch`);
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    const events = eventsIn(bytes);
    if (events.length === 3) {
      const changed = encodeBody({ ...map("one"), data: { key: "new" } } as any);
      const { revision } = (await site.server.store.get("configmaps/default/one"))!;
      await site.server.store.update("configmaps/default/one", revision, changed);
    }
    if (events.length === 4) break;
  }
  session.close();
  const events = eventsIn(bytes);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "ADDED", "BOOKMARK", "MODIFIED"],
  );
  assert.equal(events[2]!.object.metadata.annotations["k8s.io/initial-events-end"], "true");
  assert.equal(events[3]!.object.data.key, "new");
});
