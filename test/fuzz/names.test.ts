// Names that JavaScript has a use for itself are names like any other, whichever way an object is written.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startFuzzedServer } from "./server.ts";
import type { FuzzedServer } from "./server.ts";

const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];
const maps = "/api/v1/namespaces/default/configmaps";
const plants = "/apis/farm.example/v1/namespaces/default/plants";

let server: FuzzedServer;

async function send(method: string, url: string, body?: string, type?: string) {
  const answer = await server.send(method, url, {
    ...(body !== undefined && { body }),
    ...(type && { type }),
  });
  const text = answer.body.toString();
  assert.deepEqual(server.errors(), [], `${method} ${url} ${body}`);
  return { code: answer.code, text, json: JSON.parse(text) };
}

const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const properties = Object.fromEntries([
  ...names
    .filter((name) => name !== "__proto__")
    .map((name) => [name, { type: "string", default: "standard" }]),
  ["open", open],
  [
    "map",
    {
      type: "object",
      additionalProperties: { type: "object", properties: { a: { type: "string" } } },
    },
  ],
]);

before(async () => {
  server = await startFuzzedServer();
  const schema = { type: "object", properties: { spec: { type: "object", properties } } };
  const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } };
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "plants.farm.example" },
    spec: {
      ...{ group: "farm.example", scope: "Namespaced", versions: [version] },
      names: { plural: "plants", singular: "plant", kind: "Plant", listKind: "PlantList" },
    },
  };
  const url = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  assert.equal((await send("POST", url, JSON.stringify(definition))).code, 201);
});
after(() => server.close());

/** Each name with a value of its own, as text: an object literal would not have the first one. */
const data = (value: string) =>
  `{${names.map((name) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
const dataOf = (text: string) => /"data":(\{[^}]*\})/.exec(text)?.[1];
const sorted = (json: string) =>
  Object.entries(JSON.parse(json) as object).sort(([a], [b]) => (a < b ? -1 : 1));

const patches = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

test("they are keys of a ConfigMap, created, replaced and patched", async () => {
  const object = (name: string, value?: string) =>
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"}${value ? `,"data":${value}` : ""}}`;
  for (const [how, type] of Object.entries(patches)) {
    await send("POST", maps, object(how));
    const url = `${maps}/${how}${how === "apply" ? "?fieldManager=a" : ""}`;
    for (const value of ['"1"', '"2"']) {
      const { text } = await send("PATCH", url, object(how, data(value)), type);
      assert.deepEqual(sorted(dataOf(text)!), sorted(data(value)), `${how} ${value}`);
    }
    const gone = how === "apply" ? object(how) : object(how, data("null"));
    assert.equal((await send("PATCH", url, gone, type)).json.data, undefined, how);
  }
  const put = await send("PUT", `${maps}/merge`, object("merge", data('"3"')));
  assert.deepEqual(sorted(dataOf(put.text)!), sorted(data('"3"')));
  const yaml = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata: ${data('"4"')}\n`;
  const posted = await send("POST", maps, yaml, "application/yaml");
  assert.deepEqual(sorted(dataOf(posted.text)!), sorted(data('"4"')));
});

test("they are fields of custom objects, with defaults, and nothing is inherited from what they hold", async () => {
  const object = (spec: string) =>
    `{"apiVersion":"farm.example/v1","kind":"Plant","metadata":{"name":"a"},"spec":${spec}}`;
  const { json } = await send("POST", plants, object("{}"));
  const standard = names.filter((name) => name !== "__proto__").map((name) => [name, "standard"]);
  assert.deepEqual(Object.entries(json.spec), standard);
  const hostile = `{"open":${data('{"a":"x"}')},"map":${data('{"a":"y"}')}}`;
  for (const [how, type] of [
    ["merge", patches.merge],
    ["apply", patches.apply],
  ] as const) {
    const url = `${plants}/a${how === "apply" ? "?fieldManager=a&force=true" : ""}`;
    const { code, text } = await send("PATCH", url, object(hostile), type);
    assert.equal(code, 200, text);
    const spec = JSON.parse(text).spec;
    for (const name of names) {
      assert.deepEqual(
        Object.getOwnPropertyDescriptor(spec.open, name)?.value,
        { a: "x" },
        `${how} ${name}`,
      );
      assert.deepEqual(
        Object.getOwnPropertyDescriptor(spec.map, name)?.value,
        { a: "y" },
        `${how} ${name}`,
      );
    }
  }
  const wrong = await send(
    "PATCH",
    `${plants}/a`,
    object('{"map":{"constructor":{"a":1}}}'),
    patches.merge,
  );
  assert.equal(wrong.code, 422, wrong.text);
});

test("a selector finds what has such a label, and only that", async () => {
  const pods = "/api/v1/namespaces/default/configmaps";
  const object = (name: string, labels: object) =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels } });
  await send("POST", pods, object("labelled", { constructor: "x", app: "farm" }));
  await send("POST", pods, object("plain", { app: "farm" }));
  const found = async (selector: string) => {
    const { json } = await send("GET", `${pods}?labelSelector=${encodeURIComponent(selector)}`);
    return json.items.map((one: any) => one.metadata.name);
  };
  assert.deepEqual(await found("app,constructor"), ["labelled"]);
  assert.deepEqual(await found("app,!constructor"), ["plain"]);
  assert.deepEqual(await found("app,constructor!=x"), ["plain"]);
  assert.deepEqual(await found("app,!toString"), ["labelled", "plain"]);
});

test("nothing of all that is left in what all objects have", () => {
  assert.deepEqual(Object.keys(Object.prototype), []);
  assert.equal(({} as any).a, undefined);
});
