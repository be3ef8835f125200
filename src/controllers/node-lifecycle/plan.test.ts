import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import type { Taint } from "../../lib/taint.ts";
import { evictionDelayMs, evictionPaceMs, planTaints } from "./plan.ts";

const node = (ready: string, more: object = {}, taints: Taint[] = [], zone = ""): KubeObject => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name: "n",
    uid: "n",
    resourceVersion: "1",
    creationTimestamp: "",
    labels: { "topology.kubernetes.io/zone": zone },
  },
  spec: { taints, ...more },
  status: { conditions: [{ type: "Ready", status: ready }] },
});

const time = "2026-01-01T00:00:00Z";
const taintsOf = (of: KubeObject, evict = true) =>
  planTaints(of, { time, evict })?.map(({ key, effect }) => `${key}:${effect}`);
const own: Taint = { key: "mine", effect: "NoExecute" };
const kubernetes = (key: string, effect: string): Taint => ({
  key: `node.kubernetes.io/${key}`,
  effect,
});

test("a node's conditions become its taints, and its own taints stay", () => {
  const rows: [string, KubeObject, boolean, string[] | undefined][] = [
    ["ready", node("True"), true, undefined],
    [
      "not ready",
      node("False", {}, [own]),
      true,
      [
        "mine:NoExecute",
        "node.kubernetes.io/not-ready:NoSchedule",
        "node.kubernetes.io/not-ready:NoExecute",
      ],
    ],
    [
      "silent while the whole site is in doubt",
      node("Unknown"),
      false,
      ["node.kubernetes.io/unreachable:NoSchedule"],
    ],
    [
      "cordoned",
      node("True", { unschedulable: true }),
      true,
      ["node.kubernetes.io/unschedulable:NoSchedule"],
    ],
    [
      "recovered",
      node("True", {}, [
        kubernetes("unreachable", "NoSchedule"),
        kubernetes("unreachable", "NoExecute"),
      ]),
      true,
      [],
    ],
    [
      "the last ready node of the site fell",
      node("Unknown", {}, [
        kubernetes("unreachable", "NoSchedule"),
        kubernetes("unreachable", "NoExecute"),
      ]),
      false,
      ["node.kubernetes.io/unreachable:NoSchedule"],
    ],
  ];
  for (const [when, of, evict, expected] of rows) {
    assert.deepEqual(taintsOf(of, evict), expected, when);
  }
});

test("a pod leaves when the first of its tolerations runs out", () => {
  const taints = [kubernetes("unreachable", "NoExecute"), own];
  const pod = (...tolerations: object[]) => ({ ...node("True"), spec: { tolerations } });
  const all = { operator: "Exists" };
  const rows: [string, KubeObject, number | undefined][] = [
    ["tolerates nothing", pod(), 0],
    ["tolerates one of two", pod({ key: "mine", operator: "Exists" }), 0],
    ["tolerates all for ever", pod(all), undefined],
    [
      "tolerates one for a while",
      pod(
        { key: "node.kubernetes.io/unreachable", operator: "Exists", tolerationSeconds: 300 },
        all,
      ),
      300_000,
    ],
    ["for no time", pod({ ...all, tolerationSeconds: -1 }), 0],
  ];
  for (const [when, of, delay] of rows)
    assert.equal(evictionDelayMs(of.spec.tolerations, taints), delay, when);
});

test("nobody is evicted when the doubt is about the site or most of a zone", () => {
  const nodes = (zone: string, ready: number, down: number) => [
    ...Array.from({ length: ready }, () => node("True", {}, [], zone)),
    ...Array.from({ length: down }, () => node("Unknown", {}, [], zone)),
  ];
  const rows: [string, KubeObject[], number | undefined][] = [
    ["the only node", nodes("a", 0, 1), undefined],
    ["every node", nodes("a", 0, 3), undefined],
    ["one of two", nodes("a", 1, 1), 10_000],
    ["most of a small zone", nodes("a", 2, 4), undefined],
    ["most of a large zone", nodes("a", 20, 60), 100_000],
    ["all of a zone, while others are well", [...nodes("a", 0, 3), ...nodes("b", 1, 0)], 10_000],
  ];
  for (const [when, all, pace] of rows) assert.equal(evictionPaceMs("a", all), pace, when);
});
