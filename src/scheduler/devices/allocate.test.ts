import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { allocate } from "./allocate.ts";
import type { Selection } from "./allocate.ts";
import { Shares } from "./capacity.ts";
import { offerOf, usableOn } from "./pools.ts";

const driver = "gpu.example.com";
const node = { name: "n1", labels: { rack: "a" } };

const slice = (devices: object[], more: object = {}) =>
  ({
    metadata: { name: "s" },
    spec: {
      driver,
      nodeName: "n1",
      pool: { name: "n1", generation: 1, resourceSliceCount: 1 },
      devices,
      ...more,
    },
  }) as unknown as KubeObject;

const gpu = (name: string, attributes: Record<string, unknown> = {}, more: object = {}) => ({
  name,
  attributes: Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [key, { string: value }]),
  ),
  ...more,
});

const claim = (requests: object[], more: object = {}, uid = "c1") =>
  ({
    metadata: { name: uid, uid },
    spec: { devices: { requests, ...more } },
  }) as unknown as KubeObject;

const request = (name: string, exactly: object = {}) => ({
  name,
  exactly: { deviceClassName: "gpu", allocationMode: "ExactCount", count: 1, ...exactly },
});

/** Expressions here are `name=value` over attributes, in place of CEL. */
const selection: Selection = {
  matches: (expression, device) => {
    const [name, value] = expression.split("=");
    if (name === "fail") throw new Error("no such key: fail");
    return device.attributes.get(`${driver}/${name}`)?.["string"] === value;
  },
  deviceClass: (name) =>
    name === "gpu" ? ({ metadata: { name }, spec: {} } as unknown as KubeObject) : undefined,
};

function run(slices: KubeObject[], claims: KubeObject[], busy: string[] = []) {
  const offer = offerOf(slices);
  const allocations = allocate(claims, {
    offer,
    devices: usableOn(offer, node),
    busy: new Set(busy),
    shares: new Shares(),
    selection,
  });
  return [...allocations.values()].map(({ devices }) =>
    devices.results.map(({ request: name, device }: any) => `${name}:${device}`).join(" "),
  );
}

const three = [gpu("g0", { model: "a" }), gpu("g1", { model: "b" }), gpu("g2", { model: "b" })];
const selectors = (expression: string) => [{ cel: { expression } }];

test("a request gets the first free devices that suit", () => {
  const slices = [slice(three)];
  assert.deepEqual(run(slices, [claim([request("r")])]), ["r:g0"]);
  assert.deepEqual(run(slices, [claim([request("r")])], [`${driver}/n1/g0`]), ["r:g1"]);
  assert.deepEqual(run(slices, [claim([request("r", { count: 2 })])]), ["r:g0 r:g1"]);
  const wanted = request("r", { selectors: selectors("model=b") });
  assert.deepEqual(run(slices, [claim([wanted])]), ["r:g1"]);
});

test("all requests of all claims are satisfied together, whatever their order", () => {
  const any = request("any");
  const b = request("b", { selectors: selectors("model=a") });
  assert.deepEqual(run([slice(three)], [claim([any, b])]), ["any:g1 b:g0"]);
  assert.deepEqual(run([slice(three)], [claim([any]), claim([b], {}, "c2")]), ["any:g1", "b:g0"]);
  assert.throws(
    () => run([slice(three)], [claim([any, b])], [`${driver}/n1/g0`]),
    /cannot allocate/,
  );
});

test("All takes every device that suits, and nothing when one is busy", () => {
  const all = claim([request("r", { allocationMode: "All", selectors: selectors("model=b") })]);
  assert.deepEqual(run([slice(three)], [all]), ["r:g1 r:g2"]);
  assert.throws(() => run([slice(three)], [all], [`${driver}/n1/g2`]), /cannot allocate/);
});

test("the first alternative that can be had is taken", () => {
  const best = { name: "best", deviceClassName: "gpu", selectors: selectors("model=z"), count: 1 };
  const next = { name: "next", deviceClassName: "gpu", selectors: selectors("model=b"), count: 1 };
  const wanted = claim([{ name: "r", firstAvailable: [best, next] }]);
  assert.deepEqual(run([slice(three)], [wanted]), ["r/next:g1"]);
});

test("constraints hold over their requests", () => {
  const matching = { constraints: [{ matchAttribute: `${driver}/model` }] };
  assert.deepEqual(run([slice(three)], [claim([request("x"), request("y")], matching)]), [
    "x:g1 y:g2",
  ]);
  const distinct = {
    constraints: [{ requests: ["x", "y"], distinctAttribute: `${driver}/model` }],
  };
  assert.deepEqual(run([slice(three)], [claim([request("x"), request("y")], distinct)]), [
    "x:g0 y:g1",
  ]);
});

test("a watcher with admin access shares what is busy", () => {
  const wanted = claim([request("r", { adminAccess: true })]);
  assert.deepEqual(run([slice([gpu("g0")])], [wanted], [`${driver}/n1/g0`]), ["r:g0"]);
});

test("taints keep claims away that do not tolerate them", () => {
  const tainted = [gpu("g0", {}, { taints: [{ key: "broken", effect: "NoSchedule" }] }), gpu("g1")];
  assert.deepEqual(run([slice(tainted)], [claim([request("r")])]), ["r:g1"]);
  const tolerations = [{ key: "broken", operator: "Exists" }];
  assert.deepEqual(run([slice(tainted)], [claim([request("r", { tolerations })])]), ["r:g0"]);
});

test("parts of one device share its counters", () => {
  const part = (name: string, value: string) =>
    gpu(name, {}, { consumesCounters: [{ counterSet: "gpu", counters: { memory: { value } } }] });
  const shared = { sharedCounters: [{ name: "gpu", counters: { memory: { value: "40Gi" } } }] };
  const slices = [
    slice([part("whole", "40Gi"), part("half0", "20Gi"), part("half1", "20Gi")], shared),
  ];
  assert.deepEqual(run(slices, [claim([request("r", { count: 2 })])]), ["r:half0 r:half1"]);
  assert.throws(
    () => run(slices, [claim([request("r")])], [`${driver}/n1/whole`]),
    /cannot allocate/,
  );
});

test("only whole pools of the newest generation count, and only those of the node", () => {
  const pool = (generation: number, resourceSliceCount: number, name = "n1") => ({
    pool: { name, generation, resourceSliceCount },
  });
  const renewed = [slice([gpu("old")]), slice([gpu("new")], pool(2, 1))];
  assert.deepEqual(run(renewed, [claim([request("r")])]), ["r:new"]);
  assert.throws(() => run([slice([gpu("g0")], pool(1, 2))], [claim([request("r")])]), /cannot/);
  const elsewhere = slice([gpu("far")], { nodeName: "n2", ...pool(1, 1, "n2") });
  const racks = [{ matchExpressions: [{ key: "rack", operator: "In", values: ["a"] }] }];
  const byRack = slice([gpu("near")], {
    nodeName: undefined,
    nodeSelector: { nodeSelectorTerms: racks },
    ...pool(1, 1, "rack"),
  });
  assert.deepEqual(run([elsewhere, byRack], [claim([request("r")])]), ["r:near"]);
});

test("an allocation says where it can be used and with which configuration", () => {
  const offer = offerOf([slice([gpu("g0")])]);
  const opaque = { opaque: { driver, parameters: { mode: "x" } } };
  const ofClass = {
    metadata: { name: "gpu" },
    spec: { config: [opaque] },
  } as unknown as KubeObject;
  const claims = [claim([request("r")], { config: [{ ...opaque, requests: ["r"] }] })];
  const options = { offer, devices: offer.devices, busy: new Set<string>(), shares: new Shares() };
  const [allocation] = allocate(claims, {
    ...options,
    selection: { ...selection, deviceClass: () => ofClass },
  }).values();
  assert.deepEqual(allocation!.nodeSelector, {
    nodeSelectorTerms: [
      { matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }] },
    ],
  });
  assert.deepEqual(
    allocation!.devices.config!.map(({ source, requests }: any) => [source, requests]),
    [
      ["FromClass", ["r"]],
      ["FromClaim", ["r"]],
    ],
  );
});

test("a search without end ends, and what is wrong is said", () => {
  const many = Array.from({ length: 30 }, (_, i) => gpu(`g${i}`, { model: `${i}` }));
  const alike = { constraints: [{ matchAttribute: `${driver}/model` }] };
  const impossible = claim(
    Array.from({ length: 8 }, (_, i) => request(`r${i}`, { count: 3 })),
    {},
  );
  assert.throws(
    () => run([slice(many.slice(0, 23))], [impossible]),
    /too many steps|cannot allocate/,
  );
  assert.throws(() => run([slice(many)], [claim([request("x"), request("y")], alike)]), /cannot/);
  const unknown = claim([{ name: "r", exactly: { deviceClassName: "none" } }]);
  assert.throws(() => run([slice(many)], [unknown]), /device class none does not exist/);
  const failing = claim([request("r", { selectors: selectors("fail=1") })]);
  assert.throws(() => run([slice(many)], [failing]), /no such key/);
});

const nic = (more: object = {}) =>
  gpu(
    "nic",
    {},
    {
      allowMultipleAllocations: true,
      capacity: {
        bandwidth: {
          value: "10Gi",
          requestPolicy: { default: "1Gi", validRange: { min: "1Gi", step: "1Gi", max: "8Gi" } },
        },
        ...more,
      },
    },
  );

const share = (uid: string, bandwidth?: string, more: object = {}) =>
  claim(
    [
      request("r", {
        ...(bandwidth && { capacity: { requests: { bandwidth } } }),
        ...more,
      }),
    ],
    {},
    uid,
  );

test("several claims have shares of one device, as far as its capacity goes", () => {
  const slices = [slice([nic()])];
  const offer = offerOf(slices);
  const options = { offer, devices: usableOn(offer, node), busy: new Set<string>(), selection };
  const sharesOf = (claims: KubeObject[]) =>
    [...allocate(claims, { ...options, shares: new Shares() }).values()].flatMap(
      ({ devices }) => devices.results as any[],
    );
  const all = sharesOf([share("a", "2500Mi"), share("b"), share("c", "6Gi", { count: 1 })]);
  assert.deepEqual(
    all.map(({ device, consumedCapacity }) => [device, consumedCapacity.bandwidth]),
    [
      ["nic", String(3 * 2 ** 30)],
      ["nic", "1Gi"],
      ["nic", "6Gi"],
    ],
  );
  assert.equal(new Set(all.map(({ shareID }) => shareID)).size, 3);
  assert.match(all[0].shareID, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const [first, second] = sharesOf([share("two", "5Gi", { count: 2 })]);
  assert.notEqual(first.shareID, second.shareID);
  const tooMuch: [string, KubeObject[]][] = [
    ["more than is left", [share("a", "6Gi"), share("b", "5Gi")]],
    ["more than one may have", [share("a", "9Gi")]],
    ["what it does not have", [claim([request("r", { capacity: { requests: { speed: "1" } } })])]],
  ];
  for (const [what, claims] of tooMuch) {
    assert.throws(() => sharesOf(claims), /cannot allocate/, what);
  }
});

test("shares that others have stay theirs, and all that nobody asks a part of is taken", () => {
  const slices = [slice([nic({ slots: { value: "2" } })])];
  const offer = offerOf(slices);
  const shares = new Shares();
  const { id } = offer.devices[0]!;
  shares.change(
    id,
    new Map([
      ["bandwidth", "4Gi"],
      ["slots", "1"],
    ]),
    1,
  );
  const options = { offer, devices: offer.devices, busy: new Set<string>(), selection, shares };
  const slots = { capacity: { requests: { slots: "1" } } };
  const small = claim([request("r", slots)]);
  assert.equal(allocate([small], options).size, 1);
  assert.throws(() => allocate([share("a", "1Gi")], options), /cannot allocate/);
  shares.change(
    id,
    new Map([
      ["bandwidth", "4Gi"],
      ["slots", "1"],
    ]),
    -1,
  );
  assert.equal(allocate([share("a", "1Gi")], options).size, 1);
});

test("a device of one owner is enough or it is not, and has no shares", () => {
  const large = gpu("large", {}, { capacity: { memory: { value: "80Gi" } } });
  const small = gpu("small", {}, { capacity: { memory: { value: "8Gi" } } });
  const wanted = request("r", { capacity: { requests: { memory: "40Gi" } } });
  assert.deepEqual(run([slice([small, large])], [claim([wanted])]), ["r:large"]);
});
