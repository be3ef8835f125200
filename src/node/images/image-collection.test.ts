import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToFree, defaultCollection, imagesToRemove } from "./image-collection.ts";
import type { KnownImage } from "./image-collection.ts";

const image = (id: string, usedAt: number, changes: Partial<KnownImage> = {}): KnownImage => ({
  id,
  tags: [`${id}:1`],
  digests: [`${id}@sha256:0`],
  sizeBytes: 100,
  usedAt,
  ...changes,
});

const chosen = (images: KnownImage[], bytes: number, inUse: string[] = []) =>
  imagesToRemove(images, new Set(inUse), { bytes, now: 1_000_000, ageMsMin: 120_000 }).map(
    ({ id }) => id,
  );

test("the images used longest ago go, and no more than are needed", () => {
  const images = [image("new", 500_000), image("old", 1000), image("older", 10)];
  assert.deepEqual(chosen(images, 150), ["older", "old"]);
  assert.deepEqual(chosen(images, Infinity), ["older", "old", "new"]);
  assert.deepEqual(chosen(images, 0), []);
});

test("images in use, just used, pinned, or brought by file stay", () => {
  const images = [
    image("used", 0),
    image("fresh", 999_000),
    image("pause", 0, { pinned: true }),
    image("imported", 0, { digests: [] }),
    image("free", 0),
  ];
  assert.deepEqual(chosen(images, Infinity, ["used"]), ["free"]);
});

test("a disk over its high mark goes down to its low mark", () => {
  assert.equal(bytesToFree({ available: 200, capacity: 1000 }, defaultCollection), 0);
  assert.equal(bytesToFree({ available: 100, capacity: 1000 }, defaultCollection), 100);
});
