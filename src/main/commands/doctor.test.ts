import assert from "node:assert/strict";
import { test } from "node:test";
import { roomOf } from "./doctor.ts";

const disk = (gibibytes: number, freeGibibytes: number) => ({
  bsize: 2 ** 20,
  blocks: gibibytes * 1024,
  bavail: freeGibibytes * 1024,
});

test("a disk has room, or so little that no pods start, or none for images", () => {
  assert.deepEqual(roomOf("/d", disk(100, 50)), {
    state: "ok",
    detail: "/d, 51200 MiB free (50 %)",
  });
  const short = roomOf("/d", disk(250, 35));
  assert.equal(short.state, "warning");
  assert.equal(short.detail, "/d, 35840 MiB free (14 %); below 15 % no new pods start");
  assert.match(short.fix!, /kerb configure eviction-hard=/);
  assert.match(roomOf("/d", disk(1, 0.25)).fix!, /images need it/);
});
