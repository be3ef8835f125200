import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import type { ApiRequest } from "../request.ts";
import { testKind } from "../test-kinds.ts";
import { openApi } from "./openapi.ts";

const kinds = builtinKinds();
kinds.add(
  testKind("stable.example.com", "v1", "CronTab", {
    schema: { type: "object", properties: { spec: { type: "object" } } },
  }),
);

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
  kinds.remove(kinds.get("stable.example.com", "v1", "crontabs")!);
  assert.equal(await ask("v3/apis/stable.example.com/v1"), undefined);
});

test("an unchanged document is not sent again", async () => {
  const first = (await ask("v3/api/v1"))!;
  const again = await ask("v3/api/v1", { "if-none-match": String(first.headers!["etag"]) });
  assert.deepEqual([again!.code, again!.bytes], [304, undefined]);
});
