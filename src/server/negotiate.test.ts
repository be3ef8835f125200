import assert from "node:assert/strict";
import { test } from "node:test";
import { isStatus } from "../lib/status-error.ts";
import { negotiate } from "./negotiate.ts";

const table = "application/json;as=Table;v=v1;g=meta.k8s.io";

const cases: [header: string | undefined, as: string, version: string, format: string][] = [
  [undefined, "object", "v1", "json"],
  ["*/*", "object", "v1", "json"],
  ["application/json", "object", "v1", "json"],
  ["application/yaml", "object", "v1", "yaml"],
  [`${table},application/json`, "Table", "v1", "json"],
  [
    "application/json;as=Table;v=v2;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "Table",
    "v1beta1",
    "json",
  ],
  ["application/vnd.kubernetes.protobuf,application/json", "object", "v1", "protobuf"],
  ["application/vnd.kubernetes.protobuf;q=0.5,application/json", "object", "v1", "json"],
  ["application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,*/*", "object", "v1", "json"],
  [
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    "PartialObjectMetadata",
    "v1",
    "json",
  ],
  ["application/yaml;q=0.5,application/json", "object", "v1", "json"],
  ["application/json;q=0,application/yaml", "object", "v1", "yaml"],
];

test("the first form that can be served is", () => {
  for (const [header, as, version, format] of cases) {
    assert.deepEqual(negotiate(header), { as, version, format }, header ?? "none");
  }
});

test("nothing acceptable is said so", () => {
  for (const header of ["text/html", "application/vnd.kubernetes.protobuf;as=Table", `${table}x`]) {
    assert.throws(
      () => negotiate(header),
      (error) => isStatus(error, "NotAcceptable"),
      header,
    );
  }
});

test("reviews are neither rows of a table nor metadata, custom objects have no binary form", () => {
  const binary = "application/vnd.kubernetes.protobuf";
  const refused = (header: string, forms: object) =>
    assert.throws(
      () => negotiate(header, forms),
      (error) => isStatus(error, "NotAcceptable"),
    );
  refused(table, { virtual: true });
  refused(binary, { custom: true });
  assert.equal(negotiate(`${table},application/json`, { virtual: true }).as, "object");
  assert.equal(negotiate(`${binary},application/json`, { custom: true }).format, "json");
});
