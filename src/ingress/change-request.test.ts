import assert from "node:assert/strict";
import { test } from "node:test";
import { changeHeaders, changePath, locationOf } from "./change-request.ts";

test("a prefix is replaced by elements, a whole path at once", () => {
  assert.equal(changePath("/old/a", { prefix: "/new" }, "/old"), "/new/a");
  assert.equal(changePath("/old", { prefix: "/" }, "/old"), "/");
  assert.equal(changePath("/old/a", { prefix: "/" }, "/old"), "/a");
  assert.equal(changePath("/old/a", { full: "/x" }, "/old"), "/x");
  assert.equal(changePath("/old/a", undefined, "/old"), "/old/a");
});

test("headers are set, added and removed", () => {
  const change = {
    set: [["a", "1"]],
    add: [["b", "2"]],
    remove: ["c"],
  } as Parameters<typeof changeHeaders>[1];
  assert.deepEqual(changeHeaders({ a: "0", b: "1", c: "x" }, change), { a: "1", b: ["1", "2"] });
});

test("a redirect keeps what it does not change", () => {
  const came = {
    scheme: "http" as const,
    host: "a.example",
    port: 80,
    path: "/old/x",
    search: "?q=1",
  };
  const route = {
    match: { path: { type: "Prefix" as const, value: "/old" }, headers: [], query: [] },
  };
  const to = (redirect: object) => locationOf({ statusCode: 302, ...redirect }, came, route);
  assert.equal(to({ scheme: "https" }), "https://a.example/old/x?q=1");
  assert.equal(to({ hostname: "b.example", port: 8080 }), "http://b.example:8080/old/x?q=1");
  assert.equal(to({ path: { prefix: "/new" } }), "http://a.example/new/x?q=1");
});
