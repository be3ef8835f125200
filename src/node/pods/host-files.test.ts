import assert from "node:assert/strict";
import { test } from "node:test";
import { hostsFile, sandboxHostname } from "./host-files.ts";
import type { Pod } from "./pod.ts";

const pod = (spec: object) =>
  ({
    metadata: { name: "web-0", namespace: "shop" },
    spec: { containers: [], ...spec },
  }) as unknown as Pod;

const full = "box.sub.shop.svc.cluster.local";
const long = "a".repeat(40);

const cases = [
  { what: "its name", spec: {}, name: "web-0", hosts: "10.0.0.2\tweb-0" },
  {
    what: "the name that it asks for",
    spec: { hostname: "box", subdomain: "sub" },
    name: "box",
    hosts: `10.0.0.2\t${full}\tbox`,
  },
  {
    what: "its whole name where it asks for that",
    spec: { hostname: "box", subdomain: "sub", setHostnameAsFQDN: true },
    name: full,
    hosts: `10.0.0.2\t${full}\tbox`,
  },
  {
    what: "its name where it has no more",
    spec: { setHostnameAsFQDN: true },
    name: "web-0",
    hosts: "10.0.0.2\tweb-0",
  },
  {
    what: "the name that overrides all",
    spec: { hostname: "box", subdomain: "sub", hostnameOverride: "till.example.org" },
    name: "till.example.org",
    hosts: "10.0.0.2\ttill.example.org",
  },
];

for (const { what, spec, name, hosts } of cases) {
  test(`a pod's machine has ${what}`, () => {
    assert.equal(sandboxHostname(pod(spec), "cluster.local"), name);
    const input = { pod: pod(spec), podIps: ["10.0.0.2"], clusterDomain: "cluster.local" };
    assert.equal(hostsFile(input).trimEnd().split("\n").at(-1), hosts);
  });
}

test("a whole name that the kernel has no room for is refused", () => {
  const spec = { hostname: long, subdomain: "sub", setHostnameAsFQDN: true };
  assert.throws(
    () => sandboxHostname(pod(spec), "cluster.local"),
    /too long \(64 .* 67 requested\)/,
  );
});
