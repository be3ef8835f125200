import assert from "node:assert/strict";
import { test } from "node:test";
import { namesToRemove } from "./images.ts";

test("an image that goes by several names loses the one that is removed, and goes with its last", () => {
  const digest = `r.example/a@sha256:${"0".repeat(64)}`;
  const rows: [string[], string[], string, string[] | undefined][] = [
    [["r.example/a:1"], [digest], "r.example/a:1", undefined],
    [["r.example/a:1"], [digest], digest, undefined],
    [["r.example/a:1", "r.example/a:2"], [digest], "r.example/a:1", ["r.example/a:1"]],
    [["r.example/a:1", "b:5000/b:1"], [digest], "r.example/a:1", ["r.example/a:1", digest]],
    [["r.example/a:1", "b:5000/b:1"], [digest], digest, ["r.example/a:1", digest]],
    [["r.example/a:1", "b:5000/b:1"], [digest], "b:5000/b:1", ["b:5000/b:1"]],
  ];
  for (const [tags, digests, name, gone] of rows)
    assert.deepEqual(namesToRemove({ tags, digests }, name), gone, `${name} of ${tags.join()}`);
});
