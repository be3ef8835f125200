import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../../../kinds/kinds.ts";
import { matchesRule } from "./match.ts";

const kinds = builtinKinds();
const pods = kinds.get("", "v1", "pods")!;
const nodes = kinds.get("", "v1", "nodes")!;
const rule = { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] };
const create = { operation: "CREATE", subresource: "" } as const;

const table: [name: string, more: object, kind: typeof pods, request: object, matches: boolean][] =
  [
    ["its resource", {}, pods, {}, true],
    ["another resource", {}, nodes, {}, false],
    ["another operation", {}, pods, { operation: "UPDATE" }, false],
    ["every operation", { operations: ["*"] }, pods, { operation: "UPDATE" }, true],
    ["a subresource is not its resource", {}, pods, { subresource: "status" }, false],
    ["a named subresource", { resources: ["pods/status"] }, pods, { subresource: "status" }, true],
    ["all subresources, the resource too", { resources: ["pods/*"] }, pods, {}, true],
    [
      "a star for resources has no subresources",
      { resources: ["*"] },
      pods,
      { subresource: "status" },
      false,
    ],
    ["everything", { resources: ["*/*"] }, nodes, { subresource: "status" }, true],
    ["one subresource of all", { resources: ["*/scale"] }, pods, { subresource: "scale" }, true],
    ["scope of the cluster", { resources: ["*"], scope: "Cluster" }, pods, {}, false],
    ["scope of namespaces", { resources: ["*"], scope: "Namespaced" }, pods, {}, true],
    ["another group", { apiGroups: ["apps"] }, pods, {}, false],
  ];

for (const [name, more, kind, request, matches] of table) {
  test(`a rule matches: ${name}: ${matches ? "yes" : "no"}`, () => {
    assert.equal(matchesRule({ ...rule, ...more }, kind, { ...create, ...request }), matches);
  });
}
