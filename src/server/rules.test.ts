import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kinds/kinds.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import { seededRandom } from "../lib/random.ts";
import { isStatus } from "../lib/status-error.ts";
import { memoryStore } from "../store/memory.ts";
import { readDocument } from "./body.ts";
import { createServer } from "./server.ts";

const server = createServer({
  store: memoryStore(),
  kinds: builtinKinds(),
  clock: new FakeClock(),
  random: seededRandom(1),
  log: silent,
});

let made = 0;

/** Creates a ConfigMap from JSON whose fields after the metadata are `fields`. */
function create(fields: string, query = "", contentType = "application/json") {
  const text = `{"metadata":{"name":"a${made++}"},${fields}}`;
  return server.handle({
    method: "POST",
    path: "/api/v1/namespaces/default/configmaps",
    query: new URLSearchParams(query),
    headers: { "content-type": contentType },
    body: Buffer.from(text),
    user: { name: "tester", groups: [] },
    signal: new AbortController().signal,
  });
}

const problems: [fields: string, warnings: string[]][] = [
  [`"data":{"a":"b"}`, []],
  [`"foo":1`, [`unknown field "foo"`]],
  [`"data":{"a":"b","a":"c"}`, [`duplicate field "data.a"`]],
  [`"foo":1,"foo":2`, [`unknown field "foo"`, `duplicate field "foo"`]],
];

test("unknown and repeated fields are warned about, refused, or dropped silently", async () => {
  for (const [fields, warnings] of problems) {
    assert.deepEqual((await create(fields)).warnings, warnings, fields);
    assert.deepEqual((await create(fields, "fieldValidation=Ignore")).warnings, [], fields);
    if (warnings.length === 0) continue;
    await assert.rejects(create(fields, "fieldValidation=Strict"), {
      message: `ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: ${warnings.join(", ")}`,
    });
  }
});

test("a field that is not known is not stored", async () => {
  const { bytes } = await create(`"foo":1,"data":{"a":"b"}`);
  const stored = JSON.parse(Buffer.from(bytes!).toString());
  assert.deepEqual([stored.foo, stored.data], [undefined, { a: "b" }]);
});

test("values of a wrong type and objects of another kind are refused", async () => {
  const cases: [fields: string, message: RegExp][] = [
    [`"data":{"a":1}`, /json: cannot unmarshal number into Go struct field/],
    [`"kind":"Secret"`, /must be of type ConfigMap/],
    [`"apiVersion":"v2"`, /does not match the expected API version/],
  ];
  for (const [fields, message] of cases) {
    await assert.rejects(create(fields), (error) => {
      assert.ok(isStatus(error, "BadRequest"), String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

test("repeated keys of YAML are told by line", () => {
  const { duplicates } = readDocument({
    method: "POST",
    path: "",
    query: new URLSearchParams(),
    headers: { "content-type": "application/yaml" },
    body: Buffer.from(`a: 1\nspec:\n  foo: x\n  "foo": y\n`),
    user: { name: "tester", groups: [] },
    signal: new AbortController().signal,
  });
  assert.deepEqual(duplicates, [`line 4: key "foo" already set in map`]);
});

test("a JSON patch finds the status of a built-in object that has none yet", async () => {
  const claim = { metadata: { name: "claim" }, spec: {} };
  const path = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
  const send = (method: string, at: string, body: unknown, type: string) =>
    server.handle({
      method,
      path: at,
      query: new URLSearchParams(),
      headers: { "content-type": type },
      body: Buffer.from(JSON.stringify(body)),
      user: { name: "tester", groups: [] },
      signal: new AbortController().signal,
    });
  await send("POST", path, claim, "application/json");
  const patch = [{ op: "add", path: "/status/allocation", value: {} }];
  const patchType = "application/json-patch+json";
  const answer = await send("PATCH", `${path}/claim/status`, patch, patchType);
  assert.deepEqual(JSON.parse(Buffer.from(answer.bytes!).toString()).status, { allocation: {} });
});

const post = (path: string, body: object) =>
  server.handle({
    method: "POST",
    path,
    query: new URLSearchParams(),
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(body)),
    user: { name: "tester", groups: ["system:masters"] },
    signal: new AbortController().signal,
  });
const pods = "/api/v1/namespaces/default/pods";
const podOf = (name: string, memory: string) => {
  const containers = [{ name: "c", image: "x", resources: { limits: { memory } } }];
  return { metadata: { name }, spec: { containers } };
};

test("a quantity that is none is refused when it is read, and spaces around one are dropped", async () => {
  await assert.rejects(post(pods, podOf("wrong", "1K")), (error: Error) => {
    assert.ok(isStatus(error, "BadRequest"), String(error));
    assert.match(error.message, /^Pod in version "v1" cannot be handled as a Pod: quantities must/);
    return true;
  });
  const { bytes } = await post(pods, podOf("spaced", " 1Gi "));
  const { spec } = JSON.parse(Buffer.from(bytes!).toString());
  assert.equal(spec.containers[0].resources.limits.memory, "1Gi");
});

test("a null among the texts of a list is an empty one", async () => {
  const containers = [{ name: "c", image: "x", args: ["a", null] }];
  const { bytes } = await post(pods, { metadata: { name: "nulls" }, spec: { containers } });
  assert.deepEqual(JSON.parse(Buffer.from(bytes!).toString()).spec.containers[0].args, ["a", ""]);
});

test("an object of the whole cluster that names a namespace is taken without it", async () => {
  const role = { metadata: { name: "reader", namespace: "kube-system" }, rules: [] };
  const { bytes } = await post("/apis/rbac.authorization.k8s.io/v1/clusterroles", role);
  assert.equal(JSON.parse(Buffer.from(bytes!).toString()).metadata.namespace, undefined);
});

test("YAML is read as JSON is", async () => {
  const answer = await create(`"data":{"a":"b"}`, "", "application/yaml");
  assert.equal(answer.code, 201);
});

test("query options that do not exist are refused", async () => {
  for (const query of ["dryRun=Some", "fieldValidation=Often", `fieldManager=${"x".repeat(200)}`]) {
    await assert.rejects(create(`"data":{}`, query), (error) => isStatus(error, "Invalid"), query);
  }
});

test("events are selected by who reports them, whichever API they came by", async () => {
  const send = async (method: string, path: string, query: string, body?: object) => {
    const request = {
      method,
      path,
      query: new URLSearchParams(query),
      headers: { "content-type": "application/json" },
      body,
      decoded: true,
      user: { name: "tester", groups: [] },
      signal: new AbortController().signal,
    };
    return server.handle(request) as Promise<any>;
  };
  const regarding = { kind: "Pod", namespace: "default", name: "a" };
  await send("POST", "/apis/events.k8s.io/v1/namespaces/default/events", "", {
    metadata: { name: "seen" },
    eventTime: "2020-01-01T00:00:00.000000Z",
    reportingController: "watcher",
    reportingInstance: "w-1",
    action: "Look",
    reason: "Seen",
    type: "Normal",
    regarding,
  });
  const core = "/api/v1/namespaces/default/events";
  const found = async (source: string) => {
    const answer = await send("GET", core, `fieldSelector=source=${source}`);
    return (answer.object ?? answer.list).items.length;
  };
  assert.deepEqual([await found("watcher"), await found("other")], [1, 0]);
});
