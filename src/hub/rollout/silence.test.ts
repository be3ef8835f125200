import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { removableFrom } from "./silence.ts";

const at = "2026-01-01T00:00:00Z";
const cluster = (status: string | undefined, taint?: string) =>
  ({
    spec: { taints: taint ? [{ key: taint }] : [] },
    status: status && {
      conditions: [{ type: "ManagedClusterConditionAvailable", status, lastTransitionTime: at }],
    },
  }) as unknown as KubeObject;

test("a work is taken from a site that is heard, and from one that is no more", () => {
  const ocm = "cluster.open-cluster-management.io";
  const cases: [string, KubeObject | undefined, number][] = [
    ["no such site", undefined, -Infinity],
    ["never joined", cluster(undefined), -Infinity],
    ["heard", cluster("True"), Date.parse(at) + 30_000],
    ["heard, with a taint of its owner's", cluster("True", "mine"), Date.parse(at) + 30_000],
    ["silent", cluster("Unknown"), Infinity],
    ["silent and tainted", cluster("Unknown", `${ocm}/unreachable`), Infinity],
    ["heard, the taint still there", cluster("True", `${ocm}/unreachable`), Infinity],
    ["says it is ill", cluster("False", `${ocm}/unavailable`), Infinity],
  ];
  for (const [what, one, expected] of cases) assert.equal(removableFrom(one), expected, what);
});
