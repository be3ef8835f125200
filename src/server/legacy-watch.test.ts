import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutLegacyWatch } from "./legacy-watch.ts";

test("the old paths of watches ask what their successors ask", () => {
  const table: [string, string][] = [
    ["/api/v1/watch/pods", "/api/v1/pods?watch=true"],
    ["/api/v1/watch/nodes/a", "/api/v1/nodes?watch=true&fieldSelector=metadata.name%3Da"],
    ["/api/v1/watch/namespaces", "/api/v1/namespaces?watch=true"],
    ["/api/v1/watch/namespaces/x", "/api/v1/namespaces?watch=true&fieldSelector=metadata.name%3Dx"],
    ["/api/v1/watch/namespaces/x/pods?a=b", "/api/v1/namespaces/x/pods?a=b&watch=true"],
    [
      "/apis/apps/v1/watch/namespaces/x/deployments/web",
      "/apis/apps/v1/namespaces/x/deployments?watch=true&fieldSelector=metadata.name%3Dweb",
    ],
    ["/api/v1/namespaces/watch/pods", "/api/v1/namespaces/watch/pods"],
    [
      "/apis/apps/v1/namespaces/x/deployments/watch",
      "/apis/apps/v1/namespaces/x/deployments/watch",
    ],
  ];
  for (const [old, now] of table) {
    const [path = "", text = ""] = old.split("?");
    const asked = { method: "GET", path, query: new URLSearchParams(text) } as any;
    const next = withoutLegacyWatch(asked);
    const query = next.query.toString();
    assert.equal(next.path + (query && `?${query}`), now);
  }
});
