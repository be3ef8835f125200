import assert from "node:assert/strict";
import { test } from "node:test";
import { Speakers } from "./speakers.ts";

const device = (id: string, place: string) => ({
  id,
  properties: { PLACE: place },
  mounts: [],
  nodes: [],
});

test("who takes another's name changes nothing, until its first speaker was missed for long", () => {
  const speakers = new Speakers({ devicesMax: 9, missesMax: 2 });
  const round = (...said: [place: string, address: string][]) => {
    for (const [place, address] of said) speakers.hear(device("hall", place), address);
    return speakers.endRound().map(({ properties }) => properties["PLACE"]);
  };
  assert.deepEqual(round(["own", "10.0.0.1"], ["taken", "10.0.0.9"]), ["own"]);
  assert.deepEqual(round(["taken", "10.0.0.9"], ["moved", "10.0.0.1"]), ["moved"]);
  assert.deepEqual(round(["taken", "10.0.0.9"]), []);
  assert.deepEqual(round(["taken", "10.0.0.9"]), []);
  assert.deepEqual(round(["taken", "10.0.0.9"]), ["taken"]);
});

test("more than there may be are not heard", () => {
  const speakers = new Speakers({ devicesMax: 2, missesMax: 1 });
  for (const id of ["a", "b", "c"]) speakers.hear(device(id, "x"), "10.0.0.1");
  assert.equal(speakers.endRound().length, 2);
});
