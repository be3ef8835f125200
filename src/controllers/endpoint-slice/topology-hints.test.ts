import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { allotZones, sharesOf, withHints } from "./topology-hints.ts";
import type { Hinted } from "./topology-hints.ts";

const service = (spec: object, annotations: object = {}) =>
  ({ metadata: { name: "web", annotations }, spec }) as unknown as KubeObject;

const node = (name: string, zone: string, cpu: string) =>
  ({
    metadata: { name, labels: { "topology.kubernetes.io/zone": zone } },
    status: { allocatable: { cpu }, conditions: [{ type: "Ready", status: "True" }] },
  }) as unknown as KubeObject;

const endpoint = (zone: string | undefined, nodeName = "n1", ready = true): Hinted => ({
  ...(zone && { zone }),
  nodeName,
  conditions: { ready },
});
const hintsOf = (endpoints: Hinted[]) =>
  endpoints.map(({ hints }) => [
    hints?.forZones?.map(({ name }) => name).join(),
    hints?.forNodes?.map(({ name }) => name).join(),
  ]);

test("what is near is for its own zone, and with PreferSameNode for its own node", () => {
  const endpoints = [
    endpoint("a", "n1"),
    endpoint("b", "n2"),
    endpoint(undefined, "n3"),
    endpoint("a", "n1", false),
  ];
  for (const trafficDistribution of ["PreferClose", "PreferSameZone"]) {
    assert.deepEqual(hintsOf(withHints(service({ trafficDistribution }), endpoints, () => [])), [
      ["a", undefined],
      ["b", undefined],
      [undefined, undefined],
      [undefined, undefined],
    ]);
  }
  const byNode = withHints(service({ trafficDistribution: "PreferSameNode" }), endpoints, () => []);
  assert.deepEqual(hintsOf(byNode).slice(0, 3), [
    ["a", "n1"],
    ["b", "n2"],
    [undefined, "n3"],
  ]);
  assert.deepEqual(
    withHints(service({}), endpoints, () => []),
    endpoints,
  );
});

test("Auto gives zones endpoints in proportion to their CPUs", () => {
  const auto = service({}, { "service.kubernetes.io/topology-mode": "Auto" });
  const nodes = [node("n1", "a", "4"), node("n2", "b", "4"), node("n3", "b", "4")];
  const endpoints = [..."aaaabb"].map((zone) => endpoint(zone));
  const zones = hintsOf(withHints(auto, endpoints, () => nodes)).map(([zone]) => zone);
  assert.equal(zones.filter((zone) => zone === "b").length, 4);
  assert.equal(zones.filter((zone) => zone === "a").length, 2);
  assert.ok(
    zones.slice(4).every((zone) => zone === "b"),
    "an endpoint stays in its zone if it can",
  );
});

test("Auto hints nothing when it could not be fair", () => {
  const even = new Map([
    ["a", 4],
    ["b", 4],
  ]);
  assert.equal(sharesOf(1, even), undefined);
  assert.equal(sharesOf(3, new Map([["a", 4]])), undefined);
  assert.equal(sharesOf(3, even), undefined);
  assert.equal(allotZones(["a", undefined], even), undefined);
  assert.equal(allotZones(["a", "c"], even), undefined);
  assert.equal(allotZones(["a", "b"], undefined), undefined);
  assert.deepEqual(allotZones(["a", "b"], even), ["a", "b"]);
  const auto = service({}, { "service.kubernetes.io/topology-mode": "Auto" });
  const unsaid = { ...node("n1", "a", "4"), metadata: { name: "n1" } } as unknown as KubeObject;
  const endpoints = [endpoint("a"), endpoint("b")];
  assert.deepEqual(
    withHints(auto, endpoints, () => [unsaid, node("n2", "b", "4")]),
    endpoints,
  );
});
