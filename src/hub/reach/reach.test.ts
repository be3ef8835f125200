import assert from "node:assert/strict";
import { test } from "node:test";
import { callerHeaders, impersonation } from "./identity.ts";
import { parseReach, proxyPath, tunnelPath } from "./protocol.ts";

test("a URL names a site, and what is asked of it stays as it was written", () => {
  const farm = proxyPath("farm");
  const cases: [string, ReturnType<typeof parseReach>][] = [
    [farm, { cluster: "farm", via: "proxy", path: "/" }],
    [
      `${farm}/api/v1/pods?watch=1`,
      { cluster: "farm", via: "proxy", path: "/api/v1/pods?watch=1" },
    ],
    [`${farm}?timeout=1s`, { cluster: "farm", via: "proxy", path: "/?timeout=1s" }],
    [`${farm}/a%2Fb/..%2f`, { cluster: "farm", via: "proxy", path: "/a%2Fb/..%2f" }],
    [tunnelPath("shop"), { cluster: "shop", via: "tunnel", path: "/" }],
    [`${farm}ed/api`, undefined],
    ["/apis/proxy.fleet.kerb.dev/v1alpha1/managedclusters/farm", undefined],
    ["/apis/proxy-fleet-kerb-dev/v1alpha1/managedclusters/farm/proxy", undefined],
    ["/api/v1/pods", undefined],
  ];
  for (const [url, expected] of cases) assert.deepEqual(parseReach(url), expected, url);
});

test("a caller is somebody of the hub at the site", () => {
  const lines = { "x-remote-user": ["jane"], "x-remote-group": ["ops", "system:masters"] };
  assert.deepEqual(impersonation(lines), {
    "impersonate-user": "hub:jane",
    "impersonate-group": ["hub:ops", "hub:system:masters"],
  });
  assert.deepEqual(callerHeaders(lines), {
    "x-remote-user": "jane",
    "x-remote-group": ["ops", "system:masters"],
  });
});

test("a group that a comma would make two of is left out, and without one clear name nobody asks", () => {
  const sly = { "x-remote-user": ["jane"], "x-remote-group": ["ops,system:masters"] };
  assert.deepEqual(impersonation(sly), { "impersonate-user": "hub:jane" });
  assert.equal(impersonation({ "x-remote-group": ["system:masters"] }), undefined);
  assert.equal(impersonation({ "x-remote-user": ["jane", "admin"] }), undefined);
});
