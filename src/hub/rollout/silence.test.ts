import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { removableFrom } from "./silence.ts";

const at = "2026-01-01T00:00:00Z";
const cluster = (status: string | undefined, taint?: string, heardAt?: string) =>
  ({
    metadata: { annotations: heardAt && { "fleet.kerb.dev/heard-at": heardAt } },
    spec: { taints: taint ? [{ key: taint }] : [] },
    status: status && {
      conditions: [
        {
          type: "ManagedClusterConditionAvailable",
          status,
          lastTransitionTime: "2031-01-01T00:00:00Z",
        },
      ],
    },
  }) as unknown as KubeObject;

test("a work is taken from a site that is heard, and from one that is no more", () => {
  const ocm = "cluster.open-cluster-management.io";
  const cases: [string, KubeObject | undefined, number][] = [
    ["no such site", undefined, -Infinity],
    ["never joined", cluster(undefined), -Infinity],
    ["always heard", cluster("True"), -Infinity],
    ["with a taint of its owner's", cluster("True", "mine"), -Infinity],
    ["heard again", cluster("True", "mine", at), Date.parse(at) + 30_000],
    ["silent", cluster("Unknown"), Infinity],
    ["silent and tainted", cluster("Unknown", `${ocm}/unreachable`), Infinity],
    ["heard, the taint still there", cluster("True", `${ocm}/unreachable`), Infinity],
    ["silent again", cluster("Unknown", undefined, at), Infinity],
    ["says it is ill", cluster("False", `${ocm}/unavailable`), Infinity],
  ];
  for (const [what, one, expected] of cases) assert.equal(removableFrom(one), expected, what);
});
