import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { remoteDiscovery, servedResources } from "./discovery.ts";

const pods = {
  resource: "pods",
  responseKind: { group: "", version: "v1", kind: "Pod" },
  scope: "Namespaced",
  verbs: ["get", "list"],
};
const list = (name: string, version: string, resources: object[], freshness = "Current") => ({
  kind: "APIGroupDiscoveryList",
  items: [{ metadata: { name }, versions: [{ version, resources, freshness }] }],
});

test("what another server serves says where it is and whether it answers", () => {
  assert.deepEqual(servedResources(list("", "v1", [pods])), [
    {
      group: "",
      version: "v1",
      resource: "pods",
      kind: "Pod",
      namespaced: true,
      verbs: pods.verbs,
    },
  ]);
  const [stale] = servedResources(list("metrics.k8s.io", "v1beta1", [pods], "Stale"));
  assert.equal(stale!.remote, true);
});

test("a server without aggregated discovery is said to be too old", () => {
  assert.throws(() => servedResources({ kind: "APIGroupList", groups: [] }), /1\.26 or later/);
});

test("the server is asked again only when the last answer is no longer fresh, or failed", async () => {
  const clock = new FakeClock();
  let asked = 0;
  let broken = false;
  const read = async (path: string): Promise<any> => {
    if (broken) throw new Error("away");
    if (path === "/api") asked++;
    return list(path === "/api" ? "" : "apps", "v1", [pods]);
  };
  const discover = remoteDiscovery({ read }, clock);
  assert.equal((await discover()).length, 2);
  await discover();
  assert.equal(asked, 1);
  await clock.advance(3000);
  broken = true;
  await assert.rejects(discover(), /away/);
  broken = false;
  assert.equal((await discover()).length, 2);
  assert.equal(asked, 2);
});
