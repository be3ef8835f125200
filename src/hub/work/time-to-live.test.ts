import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { completedAtAnnotation, stepOf } from "./time-to-live.ts";

const now = Date.parse("2026-03-01T00:00:00Z");
const work = (metadata: object, ttlSecondsAfterFinished?: number, status = "True") =>
  ({
    metadata: { generation: 2, ...metadata },
    spec: { deleteOption: { ttlSecondsAfterFinished } },
    status: { conditions: [{ type: "Complete", status, observedGeneration: 2 }] },
  }) as unknown as KubeObject;
const since = (time: string) => ({ annotations: { [completedAtAnnotation]: time } });

for (const [what, object, step] of [
  ["without a time to live", work({}), { do: "nothing" }],
  ["not complete", work({}, 60, "False"), { do: "nothing" }],
  ["complete", work({}, 60), { do: "begin" }],
  ["complete, to go at once", work({}, 0), { do: "delete" }],
  ["complete since a while", work(since("2026-02-28T23:59:30Z"), 60), { do: "wait", ms: 30_000 }],
  ["complete since long", work(since("2026-02-28T23:59:00Z"), 60), { do: "delete" }],
  ["no longer complete", work(since("2026-02-28T23:59:00Z"), 60, "False"), { do: "forget" }],
  ["of new content", work({ generation: 3 }, 60), { do: "nothing" }],
  ["on its way out", work({ deletionTimestamp: "x" }, 0), { do: "nothing" }],
  [
    "of a set, which would make it again",
    work({ labels: { "work.open-cluster-management.io/manifestworkreplicaset": "a.b" } }, 0),
    { do: "nothing" },
  ],
] as const) {
  test(`a work ${what}: ${step.do}`, () => {
    assert.deepEqual(stepOf(object, now), step);
  });
}
