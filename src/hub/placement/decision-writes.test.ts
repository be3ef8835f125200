import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { seededRandom } from "../../lib/random.ts";
import { writesOf } from "./decision-writes.ts";
import type { DecisionWrite } from "./decision-writes.ts";

/** Letters are clusters, words are objects. */
const pagesOf = (text: string) =>
  text.split(" ").map((letters, i) => ({
    name: `north-decision-${i + 1}`,
    labels: {},
    decisions: [...letters].map((clusterName) => ({ clusterName, reason: "", score: 0 })),
  }));
const objectsOf = (text: string): KubeObject[] =>
  pagesOf(text).map(({ name, decisions }) => ({
    apiVersion: "cluster.open-cluster-management.io/v1beta1",
    kind: "PlacementDecision",
    metadata: { name, uid: name, resourceVersion: "1", creationTimestamp: "" },
    status: { decisions },
  }));
const lettersOf = ({ object }: DecisionWrite) =>
  object?.decisions.map(({ clusterName }) => clusterName).join("");
const told = (wanted: string, known: string) =>
  writesOf(pagesOf(wanted), objectsOf(known)).map(
    (write) => `${write.name.at(-1)}:${lettersOf(write) ?? "gone"}`,
  );

test("a cluster that joins at the front moves the others from the last object to the first", () => {
  assert.deepEqual(told("xab cde f", "abc def"), ["3:f", "2:cde", "1:xab"]);
});

test("a cluster that leaves at the front moves the others from the first object to the last", () => {
  assert.deepEqual(told("bcd ef", "abc def"), ["1:bcd", "2:ef"]);
  assert.deepEqual(told("bcd", "abc d"), ["1:bcd", "2:gone"]);
});

test("objects that exchange clusters have those of both meanwhile", () => {
  assert.deepEqual(told("ad cb", "ab cd"), ["1:adb", "2:cb", "1:ad"]);
});

test("a cluster that stays chosen is in some object at every moment", () => {
  const random = seededRandom(1);
  const any = () => {
    const pages = Array.from({ length: 1 + Math.floor(random.float() * 4) }, () => "");
    for (const letter of "abcdefghij") {
      if (random.float() < 0.2) continue;
      pages[Math.floor(random.float() * pages.length)] += letter;
    }
    return pages.join(" ");
  };
  for (let round = 0; round < 300; round++) {
    const [known, wanted] = [any(), any()];
    const what = `${known} to ${wanted}`;
    const held = new Map(objectsOf(known).map((_, i) => [`${i + 1}`, known.split(" ")[i]!]));
    const stays = [..."abcdefghij"].filter((one) => known.includes(one) && wanted.includes(one));
    const writes = writesOf(pagesOf(wanted), objectsOf(known));
    for (const write of writes) {
      const letters = lettersOf(write);
      if (letters === undefined) held.delete(write.name.at(-1)!);
      else held.set(write.name.at(-1)!, letters);
      const all = [...held.values()].join("");
      for (const one of stays) assert.ok(all.includes(one), `${one} is lost from ${what}`);
    }
    assert.equal(
      [...held.entries()]
        .sort()
        .map(([, one]) => one)
        .join(" "),
      wanted,
      what,
    );
    assert.ok(writes.length <= 8, `${writes.length} writes from ${what}`);
  }
});
