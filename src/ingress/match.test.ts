import assert from "node:assert/strict";
import { test } from "node:test";
import { certificateFor, covers, routeFor, underPrefix } from "./match.ts";
import type { Listener, Match, Route } from "./model.ts";

const match = (type: Match["path"]["type"], value: string, more: Partial<Match> = {}): Match => ({
  path: { type, value, ...(type === "Regex" && { is: (path: string) => path.includes("x") }) },
  headers: [],
  query: [],
  ...more,
});
const route = (id: string, own: Match, more: Partial<Route> = {}): Route => ({
  id,
  created: "2026-01-01T00:00:00Z",
  hosts: [],
  match: own,
  backends: [],
  lostWeight: 0,
  ...more,
});
const listener = (routes: Route[], more: Partial<Listener> = {}): Listener => ({
  port: 80,
  hostname: "",
  routes,
  ...more,
});

function chosen(listeners: Listener[], path: string, more: object = {}): string | undefined {
  const asked = {
    host: "a.example",
    method: "GET",
    path,
    query: new URLSearchParams(),
    headers: {},
    ...more,
  };
  return routeFor(listeners, 80, asked)?.id;
}

test("a wildcard covers what lies below it, and not its own domain", () => {
  assert.ok(covers("*.example", "a.example"));
  assert.ok(covers("*.example", "b.a.example"));
  assert.ok(!covers("*.example", "example"));
  assert.ok(!covers("a.example", "b.example"));
  assert.ok(covers("", "anything"));
});

test("a prefix covers whole elements of a path", () => {
  for (const path of ["/a", "/a/", "/a/b"]) assert.ok(underPrefix("/a", path), path);
  assert.ok(!underPrefix("/a", "/ab"));
  assert.ok(underPrefix("/a/", "/a"));
  assert.ok(underPrefix("/", "/anything"));
});

test("the match that says most is taken: exact, then longest, method, headers, query", () => {
  const is = (value: string) => value === "1";
  const all = listener([
    route("any", match("Prefix", "/")),
    route("long", match("Prefix", "/shop/cart")),
    route("short", match("Prefix", "/shop")),
    route("exact", match("Exact", "/shop/cart")),
    route("post", match("Prefix", "/shop", { method: "POST" })),
    route("header", match("Prefix", "/shop", { headers: [{ name: "v", is }] })),
    route("query", match("Prefix", "/shop", { query: [{ name: "q", is }] })),
  ]);
  assert.equal(chosen([all], "/other"), "any");
  assert.equal(chosen([all], "/shop/cart"), "exact");
  assert.equal(chosen([all], "/shop/cart/1"), "long");
  assert.equal(chosen([all], "/shop"), "short");
  const v = { headers: { v: "1" } };
  assert.equal(chosen([all], "/shop", v), "header");
  assert.equal(chosen([all], "/shop", { ...v, method: "POST" }), "post");
  assert.equal(chosen([all], "/shop", { query: new URLSearchParams("q=1") }), "query");
});

test("a listener's and a route's own name go before a wildcard, and the older route before the newer", () => {
  const named = listener([route("named", match("Prefix", "/"))], { hostname: "a.example" });
  const wild = listener([route("wild", match("Exact", "/x"))], { hostname: "*.example" });
  assert.equal(chosen([wild, named], "/x"), "named");
  assert.equal(chosen([wild, named], "/x", { host: "b.example" }), "wild");
  const old = route("z", match("Prefix", "/"), { created: "2025-01-01T00:00:00Z" });
  assert.equal(chosen([listener([route("a", match("Prefix", "/")), old])], "/"), "z");
  const hosts = listener([
    route("star", match("Exact", "/x"), { hosts: ["*.example"] }),
    route("own", match("Prefix", "/"), { hosts: ["a.example"] }),
  ]);
  assert.equal(chosen([hosts], "/x"), "own");
});

test("a name in a handshake gets its most precise certificate", () => {
  const secured = (hostname: string) =>
    listener([], { hostname, certificate: { cert: hostname, key: "" } });
  const all = [secured("*.example"), secured("a.example"), listener([])];
  assert.equal(certificateFor(all, 80, "a.example")?.cert, "a.example");
  assert.equal(certificateFor(all, 80, "b.example")?.cert, "*.example");
  assert.equal(certificateFor(all, 80, "example"), undefined);
});
