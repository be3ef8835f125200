import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../lib/random.ts";
import { deal, Queues } from "./queues.ts";

const random = seededRandom(7);
const anyHash = () => Math.floor(random.float() * 2 ** 53);

test("a hand is of different queues, the same for the same flow, and all queues are dealt", () => {
  const seen = new Set<number>();
  for (let i = 0; i < 500; i++) {
    const hash = anyHash();
    const hand = deal(hash, 64, 6);
    assert.equal(new Set(hand).size, 6);
    assert.ok(hand.every((at) => at >= 0 && at < 64));
    assert.deepEqual(deal(hash, 64, 6), hand);
    for (const at of hand) seen.add(at);
  }
  assert.equal(seen.size, 64);
  assert.deepEqual(deal(0, 3, 8).sort(), [0, 1, 2]);
});

test("a flood does not keep others waiting: seats go round the queues", () => {
  const queues = new Queues<{ hash: number; who: string }>({
    queues: 64,
    handSize: 6,
    lengthMax: 50,
  });
  const flood = anyHash();
  for (let i = 0; i < 200; i++) queues.add({ hash: flood, who: "flood" });
  const quiet = Array.from({ length: 8 }, (_, i) => ({ hash: anyHash(), who: `quiet-${i}` }));
  for (const one of quiet) assert.ok(queues.add(one));
  const served = Array.from({ length: 30 }, () => queues.next()!.who);
  for (const { who } of quiet) assert.ok(served.includes(who), `${who} is among the first 30`);
});

test("nobody is served twice as much for having slept", () => {
  const queues = new Queues<{ hash: number; who: string }>({
    queues: 2,
    handSize: 1,
    lengthMax: 100,
  });
  for (let i = 0; i < 50; i++) queues.add({ hash: 0, who: "early" });
  for (let i = 0; i < 20; i++) queues.next();
  for (let i = 0; i < 20; i++) queues.add({ hash: 1, who: "late" });
  const next = Array.from({ length: 10 }, () => queues.next()!.who);
  const late = next.filter((who) => who === "late").length;
  assert.ok(late >= 4 && late <= 6, `${late} of 10`);
});

test("a flow whose queues are full is refused, and who gave up is not served", () => {
  const queues = new Queues({ queues: 8, handSize: 2, lengthMax: 3 });
  const taken = Array.from({ length: 6 }, () => ({ hash: 5 }));
  for (const one of taken) assert.ok(queues.add(one));
  assert.equal(queues.add({ hash: 5 }), false);
  for (const one of taken.slice(1)) queues.remove(one);
  assert.equal(queues.next(), taken[0]);
  assert.equal(queues.next(), undefined);
  assert.equal(new Queues({ queues: 0, handSize: 1, lengthMax: 1 }).add({ hash: 1 }), false);
});

test("who waits is kept when the queues become others", () => {
  const queues = new Queues({ queues: 8, handSize: 2, lengthMax: 9 });
  for (let i = 0; i < 10; i++) queues.add({ hash: anyHash() });
  queues.configure({ queues: 3, handSize: 1, lengthMax: 1 });
  assert.equal(queues.length, 10);
  queues.configure({ queues: 0, handSize: 1, lengthMax: 0 });
  for (let i = 0; i < 10; i++) assert.ok(queues.next());
  assert.equal(queues.length, 0);
});
