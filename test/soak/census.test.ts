import assert from "node:assert/strict";
import { test } from "node:test";
import { grown } from "./census.ts";
import type { Census } from "./census.ts";

const nothing: Census = {
  processes: [],
  mounts: [],
  interfaces: [],
  namespaces: [],
  routes: [],
  rules: [],
  cgroups: [],
  files: [],
  descriptors: [],
  loops: [],
};

test("what there is more of is named, and what merely has another number is not", () => {
  const own = (uid: string, end: string) => [`pods/${uid}/..v${end}`, `logs/web-7f-${end}_${uid}`];
  const leases = ["leases/10.0.0.7"];
  const before = { ...nothing, files: [...own("0a1b2c3d4e5f", "x4kq2"), ...leases, "gone"] };
  const files = [...own("ff00ff00ff00", "zz9pd"), "leases/10.0.0.9", ...leases, "temporary"];
  assert.deepEqual(grown(before, { ...before, files }, {}), [
    {
      ...{ kind: "files", before: 4, now: 5 },
      changes: ["+ leases/10.0.0.9", "+ temporary", "- gone"],
    },
  ]);
});

test("two of one name are not one", () => {
  const now = { ...nothing, processes: ["7 sleep", "8 sleep"] };
  const [growth] = grown({ ...nothing, processes: ["7 sleep"] }, now, {});
  assert.deepEqual(growth?.changes, ["+ 8 sleep"]);
});

test("within its room nothing has grown", () => {
  const now = { ...nothing, descriptors: ["a", "b"] };
  assert.deepEqual(grown(nothing, now, { descriptors: 2 }), []);
  assert.equal(grown(nothing, now, { descriptors: 1 }).length, 1);
});
