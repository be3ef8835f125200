import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeSwagger } from "./merge.ts";

const ref = (name: string) => ({ $ref: `#/definitions/${name}` });

test("only the asked group's paths come over, with the definitions they lead to", () => {
  const base = {
    paths: { "/api/v1/": {} },
    definitions: { Meta: { type: "object" }, Same: { type: "string" } },
  };
  const other = {
    paths: {
      "/apis/m.io/v1/nodes": { get: ref("Node") },
      "/apis/m.io/v1beta1/nodes": { get: ref("Unwanted") },
    },
    definitions: {
      Node: { properties: { meta: ref("Meta"), same: ref("Same"), self: ref("Node") } },
      Meta: { type: "object", title: "theirs" },
      Same: { type: "string" },
      Unwanted: {},
    },
  };
  const merged = mergeSwagger(base, other, "/apis/m.io/v1");
  assert.deepEqual(Object.keys(merged.paths), ["/api/v1/", "/apis/m.io/v1/nodes"]);
  assert.deepEqual(merged.definitions, {
    Meta: { type: "object" },
    Same: { type: "string" },
    Node: { properties: { meta: ref("Meta_v2"), same: ref("Same"), self: ref("Node") } },
    Meta_v2: { type: "object", title: "theirs" },
  });
});
