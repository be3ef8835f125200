import assert from "node:assert/strict";
import { test } from "node:test";
import { openBundle, sealBundle } from "./shared-cluster.ts";

const ranges = {
  clusterCidr: "10.100.0.0/16",
  serviceCidr: "10.150.0.0/16",
  apiServiceIp: "10.150.0.1",
  dnsServiceIp: "10.150.0.10",
};
const bundle = { format: 1 as const, files: { "pki/ca.pem": "a secret" }, ranges };

test("what servers share opens with their token alone", () => {
  const sealed = sealBundle(bundle, "token");
  assert.deepEqual(openBundle(sealed, "token"), bundle);
  assert.equal(openBundle(sealed, "other"), undefined);
  assert.ok(!sealed.includes("secret"));
  sealed[sealed.length - 1]! ^= 1;
  assert.equal(openBundle(sealed, "token"), undefined);
});
