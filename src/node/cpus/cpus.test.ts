import assert from "node:assert/strict";
import { test } from "node:test";
import { CpuLedger, wholeCpus } from "./cpu-ledger.ts";
import { cpusText, parseCpus } from "./cpu-set.ts";
import type { Pod } from "../pods/pod.ts";

const pod = (uid: string, ...cpus: string[]): Pod => {
  const containers = cpus.map((cpu, i) => {
    const amounts = { cpu, memory: "16Mi" };
    return { name: `c${i}`, image: "i", resources: { requests: amounts, limits: amounts } };
  });
  return { metadata: { uid, name: uid }, spec: { containers } } as unknown as Pod;
};

const pairs = [
  [0, 4],
  [1, 5],
  [2, 6],
  [3, 7],
];

test("sets of cpus are written as the kernel writes them", () => {
  assert.deepEqual(parseCpus("0-2,7,4"), [0, 1, 2, 4, 7]);
  assert.equal(cpusText([7, 0, 1, 2, 4]), "0-2,4,7");
  assert.throws(() => parseCpus("0;1"), /no list of cpus/);
});

test("only whole cpus of guaranteed pods are had alone", () => {
  const whole = pod("a", "2");
  assert.equal(wholeCpus(whole, whole.spec.containers[0]!), 2);
  const part = pod("b", "1500m");
  assert.equal(wholeCpus(part, part.spec.containers[0]!), 0);
  const burstable = pod("c", "2");
  burstable.spec.containers[0]!.resources = { limits: { cpu: "2" }, requests: { cpu: "1" } };
  assert.equal(wholeCpus(burstable, burstable.spec.containers[0]!), 0);
});

test("two cpus are those of one core, and the others share what is left", () => {
  const ledger = new CpuLedger(pairs, [0]);
  assert.deepEqual(ledger.lendable(), [4, 1, 5, 2, 6, 3, 7]);
  const first = pod("a", "2");
  ledger.admit(first);
  assert.deepEqual(ledger.of(first, first.spec.containers[0]!), [1, 5]);
  assert.equal(cpusText(ledger.shared()), "0,2-4,6-7");
  assert.equal(ledger.of(pod("b", "500m"), pod("b", "500m").spec.containers[0]!), undefined);
  ledger.forget("a");
  assert.equal(cpusText(ledger.shared()), "0-7");
});

test("the reserved are nobody's alone, and who comes too late is refused", () => {
  const ledger = new CpuLedger([[0], [1], [2]], [0]);
  ledger.admit(pod("a", "1", "1"));
  assert.throws(() => ledger.admit(pod("b", "1")), /Requested: 1, Available: 0/);
  assert.deepEqual(ledger.shared(), [0]);
});

test("init containers run on what their pod has", () => {
  const ledger = new CpuLedger(pairs, []);
  const one = pod("a", "2");
  const init = { ...one.spec.containers[0]!, name: "init" };
  one.spec.initContainers = [init];
  ledger.admit(one);
  assert.deepEqual(ledger.of(one, init), ledger.of(one, one.spec.containers[0]!));
});
