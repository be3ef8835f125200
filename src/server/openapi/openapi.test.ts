import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { ApiRequest } from "../request.ts";
import { fieldsOf } from "../protobuf/wire.ts";
import { testKind } from "../test-kinds.ts";
import { openApi } from "./openapi.ts";

const kinds = builtinKinds();
kinds.add(
  testKind("stable.example.com", "v1", "CronTab", {
    schema: { type: "object", properties: { spec: { type: "object" } } },
  }),
);

const asking = (query: string, accept: string) =>
  ({ query: new URLSearchParams(query), headers: { accept } }) as unknown as ApiRequest;

async function ask(path: string, headers: Record<string, string> = {}) {
  const query = new URLSearchParams();
  const request = { query, headers } as unknown as ApiRequest;
  const answer = await openApi({ kinds }, path.split("/"), request);
  return (
    answer && {
      ...answer,
      document: answer.bytes && JSON.parse(Buffer.from(answer.bytes).toString()),
    }
  );
}

/** Every $ref in a document. */
function refs(node: unknown, found = new Set<string>()): Set<string> {
  if (typeof node === "object" && node !== null) {
    for (const [key, value] of Object.entries(node)) {
      if (key === "$ref" && typeof value === "string") found.add(value);
      else refs(value, found);
    }
  }
  return found;
}

test("every group version has a v3 document, and every reference in it leads somewhere", async () => {
  const { paths } = (await ask("v3"))!.document;
  assert.ok(paths["apis/apps/v1"].serverRelativeURL.startsWith("/openapi/v3/apis/apps/v1?hash="));
  for (const name of Object.keys(paths)) {
    const { document } = (await ask(`v3/${name}`))!;
    for (const ref of refs(document)) {
      const schema = ref.replace("#/components/schemas/", "");
      assert.ok(document.components.schemas[schema], `${name}: ${ref}`);
    }
  }
});

test("the v2 document is whole", async () => {
  const { document } = (await ask("v2"))!;
  for (const ref of refs(document)) {
    assert.ok(document.definitions[ref.replace("#/definitions/", "")], ref);
  }
});

test("writes list fieldValidation, and kinds can be found by group, version and kind", async () => {
  const { document } = (await ask("v3/apis/apps/v1"))!;
  const { patch } = document.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"];
  assert.ok(patch.parameters.some((one: any) => one.name === "fieldValidation"));
  const gvk = { group: "apps", version: "v1", kind: "Deployment" };
  assert.deepEqual(patch["x-kubernetes-group-version-kind"], gvk);
  const schema = document.components.schemas["io.k8s.api.apps.v1.Deployment"];
  assert.deepEqual(schema["x-kubernetes-group-version-kind"], [gvk]);
});

test("a custom kind is published as soon as it is served, and gone with it", async () => {
  const { document } = (await ask("v3/apis/stable.example.com/v1"))!;
  assert.ok(document.components.schemas["com.example.stable.v1.CronTab"].properties.spec);
  const item = "/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}";
  // By these kubectl chooses how to apply.
  assert.deepEqual(Object.keys(document.paths[item].patch.requestBody.content), [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
  ]);
  kinds.remove(kinds.get("stable.example.com", "v1", "crontabs")!);
  assert.equal(await ask("v3/apis/stable.example.com/v1"), undefined);
});

test("an unchanged document is not sent again", async () => {
  const first = (await ask("v3/api/v1"))!;
  const again = await ask("v3/api/v1", { "if-none-match": String(first.headers!["etag"]) });
  assert.deepEqual([again!.code, again!.bytes], [304, undefined]);
});

/** Reads a message as a tree of its fields. */
function tree(bytes: Uint8Array, path: number[]): Uint8Array[] {
  const [id, ...rest] = path;
  if (id === undefined) return [bytes];
  return [...fieldsOf(bytes)].flatMap((field) => (field.id === id ? tree(field.bytes, rest) : []));
}

const strings = (found: Uint8Array[]) => found.map((bytes) => Buffer.from(bytes).toString());

test("the documents also come in the binary form that older clients ask for, by either of its names", async () => {
  const [v2, v3] = ["v2", "v3"].map((v) => `application/com.github.proto-openapi.spec.${v}`);
  const swagger = (await ask("v2"))!.document;
  for (const accept of [`${v2}@v1.0+protobuf`, `${v2}.v1.0+protobuf,application/json`]) {
    const { bytes, headers } = (await openApi({ kinds }, ["v2"], asking("", accept)))!;
    assert.equal(headers!["content-type"], `${v2}.v1.0+protobuf`);
    assert.deepEqual(strings(tree(bytes!, [1])), ["2.0"]);
    assert.deepEqual(strings(tree(bytes!, [9, 1, 1])), Object.keys(swagger.definitions));
    assert.deepEqual(strings(tree(bytes!, [8, 2, 1])), Object.keys(swagger.paths));
    const count = Object.values(swagger.definitions).map((one: any) =>
      Object.keys(one.properties ?? {}),
    );
    assert.deepEqual(strings(tree(bytes!, [9, 1, 2, 25, 1, 1])), count.flat());
  }
  const apps = (await ask("v3/apis/apps/v1"))!.document;
  const path = ["v3", "apis", "apps", "v1"];
  const { bytes } = (await openApi({ kinds }, path, asking("", `${v3}@v1.0+protobuf`)))!;
  assert.deepEqual(strings(tree(bytes!, [5, 1, 1, 1])), Object.keys(apps.components.schemas));
  await assert.rejects(openApi({ kinds }, ["v2"], asking("", "text/html")), { code: 406 });
});

test("v2 says of open and nullable custom objects what kubectl's reader can take", async () => {
  const any = { "x-kubernetes-preserve-unknown-fields": true };
  const properties = {
    open: { type: "object", ...any, properties: { a: { type: "string" } } },
    list: { type: "array", ...any, items: { type: "string" } },
    maybe: { type: "string", nullable: true },
    sure: { type: "string" },
  };
  const shaped: any = { type: "object", required: ["maybe", "sure"], properties };
  kinds.add(
    testKind("open.example.com", "v1", "Root", { schema: { type: "object", ...any } as any }),
  );
  kinds.add(testKind("open.example.com", "v1", "Shaped", { schema: shaped }));
  const { definitions } = (await ask("v2"))!.document;
  const gvk = { group: "open.example.com", version: "v1", kind: "Root" };
  assert.deepEqual(definitions["com.example.open.v1.Root"], {
    type: "object",
    "x-kubernetes-group-version-kind": [gvk],
  });
  const { open, list, maybe, sure } = definitions["com.example.open.v1.Shaped"].properties;
  assert.deepEqual([open, list, maybe, sure], [any, any, {}, { type: "string" }]);
  assert.deepEqual(definitions["com.example.open.v1.Shaped"].required, ["sure"]);
  const v3 = (await ask("v3/apis/open.example.com/v1"))!.document.components.schemas;
  assert.equal(v3["com.example.open.v1.Shaped"].properties.maybe.nullable, true);
});
