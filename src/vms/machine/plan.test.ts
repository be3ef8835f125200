import assert from "node:assert/strict";
import { test } from "node:test";
import { planMachine } from "./plan.ts";
import { printableStatus } from "./printable-status.ts";
import type { StateChange } from "./run-strategy.ts";

const now = Date.parse("2030-01-01T00:00:00Z");
const meta = (name: string, uid: string) => ({
  ...{ name, uid, namespace: "shop", resourceVersion: "1" },
  creationTimestamp: "2030-01-01T00:00:00Z",
});

const machine = (runStrategy: string, status: object = { runStrategy }, metadata = {}): any => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { ...meta("till", "vm-1"), ...metadata },
  spec: { runStrategy, template: { spec: { domain: { devices: {} } } } },
  status,
});

const instance = (
  phase: string,
  { ran = false, leaving = false, conditions = [] as any[] } = {},
): any => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  metadata: {
    ...meta("till", "vmi-1"),
    ...(leaving && { deletionTimestamp: "2030-01-01T00:00:00Z" }),
  },
  spec: {},
  status: {
    ...{ phase, conditions },
    phaseTransitionTimestamps: ran ? [{ phase: "Running" }, { phase }] : [{ phase }],
  },
});

const asked = (runStrategy: string, ...stateChangeRequests: StateChange[]) =>
  machine(runStrategy, { runStrategy, stateChangeRequests });
const start: StateChange = { action: "Start" };
const stop: StateChange = { action: "Stop", uid: "vmi-1" };
const options = { now, disksReady: true };

test("a machine starts and stops as its run strategy says", () => {
  const running = instance("Running", { ran: true });
  const failed = instance("Failed", { ran: true });
  const done = instance("Succeeded", { ran: true });
  const cases: [string, any, any, "start" | "stop" | "nothing"][] = [
    ["Always without instance", machine("Always"), undefined, "start"],
    ["Always, running", machine("Always"), running, "nothing"],
    ["Always, its guest shut down", machine("Always"), done, "stop"],
    ["Always, failed", machine("Always"), failed, "stop"],
    ["Always, restart", asked("Always", stop, start), running, "stop"],
    ["Always, stopped before", asked("Always", stop, start), undefined, "start"],
    ["Halted", machine("Halted"), undefined, "nothing"],
    ["Halted, running", machine("Halted"), running, "stop"],
    [
      "Halted, leaving already",
      machine("Halted"),
      instance("Running", { leaving: true }),
      "nothing",
    ],
    ["RerunOnFailure at first", machine("RerunOnFailure", {}), undefined, "start"],
    ["RerunOnFailure after success", machine("RerunOnFailure"), done, "stop"],
    ["RerunOnFailure, gone after success", machine("RerunOnFailure"), undefined, "nothing"],
    ["RerunOnFailure, failed", machine("RerunOnFailure"), failed, "stop"],
    ["RerunOnFailure, start asked", asked("RerunOnFailure", start), undefined, "start"],
    ["Manual", machine("Manual", {}), undefined, "nothing"],
    ["Manual, start asked", asked("Manual", start), undefined, "start"],
    ["Manual, stop asked", asked("Manual", stop), running, "stop"],
    ["Manual, ended by itself", machine("Manual"), done, "nothing"],
    ["Manual, ended, start asked", asked("Manual", start), done, "stop"],
    ["Once at first", machine("Once", {}), undefined, "start"],
    ["Once, failed", machine("Once"), failed, "nothing"],
    ["Once, gone", machine("Once"), undefined, "nothing"],
    ["Always, deleted", machine("Always", {}, { deletionTimestamp: "now" }), running, "stop"],
  ];
  for (const [name, vm, vmi, expected] of cases) {
    const plan = planMachine(vm, vmi, options);
    assert.equal(plan.start ? "start" : plan.stop ? "stop" : "nothing", expected, name);
  }
});

test("requests are dropped once they are done", () => {
  const running = instance("Running", { ran: true });
  const of = (vm: any, vmi: any) => planMachine(vm, vmi, options).requests;
  assert.deepEqual(of(asked("Manual", { ...stop, uid: "older" }, start), running), [start]);
  assert.deepEqual(of(asked("Manual", start), running), []);
  assert.deepEqual(of(asked("Manual", start), undefined), []);
  assert.deepEqual(of(asked("Always", stop, start), running), [stop, start]);
  assert.deepEqual(of(machine("RerunOnFailure"), instance("Failed", { ran: true })), [start]);
});

test("a paused start makes a halted machine one that always runs", () => {
  const paused: StateChange = { action: "Start", data: { paused: "true" } };
  const halted = planMachine(asked("Halted", paused), undefined, options);
  assert.deepEqual([halted.strategy, halted.requests], ["Always", [paused]]);
  assert.deepEqual(planMachine(asked("Always", paused), undefined, options).start, {
    paused: true,
  });
});

test("starts that fail come ever more slowly, until one runs", () => {
  const failed = instance("Failed");
  const first = planMachine(machine("Always"), failed, options);
  assert.equal(first.startFailure?.consecutiveFailCount, 1);
  assert.equal(first.startFailure?.retryAfterTimestamp, "2030-01-01T00:00:10Z");
  const { startFailure } = first;
  const known = machine("Always", { runStrategy: "Always", startFailure });
  const waiting = planMachine(known, undefined, options);
  assert.deepEqual([waiting.start, waiting.wakeAfterMs], [false, 10_000]);
  assert.ok(planMachine(known, undefined, { ...options, now: now + 10_000 }).start);
  const many = machine("Always", {
    startFailure: { ...startFailure, consecutiveFailCount: 40, lastFailedVMIUID: "x" },
  });
  const capped = planMachine(many, failed, options).startFailure;
  assert.equal(capped?.retryAfterTimestamp, "2030-01-01T00:05:00Z");
  assert.equal(
    planMachine(known, instance("Running", { ran: true }), options).startFailure,
    undefined,
  );
  assert.equal(planMachine(known, failed, options).startFailure?.consecutiveFailCount, 1);
});

test("nothing starts before its disks are filled", () => {
  const plan = planMachine(asked("Manual", start), undefined, { now, disksReady: false });
  assert.deepEqual([plan.start, plan.requests], [false, [start]]);
});

test("one word says how a machine is", () => {
  const seen = { dataVolumes: [], missingClaims: [], startFailure: undefined };
  const condition = (type: string, status: string, reason?: string) => ({ type, status, reason });
  const volume = (phase: string): any => ({ metadata: meta("dv", "dv"), status: { phase } });
  const failure = { consecutiveFailCount: 1, lastFailedVMIUID: "a", retryAfterTimestamp: "" };
  const withConditions = (...conditions: any[]) => instance("Scheduling", { conditions });
  const cases: [string, object][] = [
    ["Terminating", { vm: machine("Always", {}, { deletionTimestamp: "now" }) }],
    ["Stopping", { instance: instance("Running", { leaving: true }) }],
    ["Paused", { instance: instance("Running", { conditions: [condition("Paused", "True")] }) }],
    ["Running", { instance: instance("Running") }],
    ["ErrorPvcNotFound", { missingClaims: ["a"] }],
    ["DataVolumeError", { dataVolumes: [volume("Failed")] }],
    ["Provisioning", { dataVolumes: [volume("ImportInProgress")] }],
    ["WaitingForVolumeBinding", { dataVolumes: [volume("WaitForFirstConsumer")] }],
    [
      "ErrorUnschedulable",
      { instance: withConditions(condition("PodScheduled", "False", "Unschedulable")) },
    ],
    [
      "ErrImagePull",
      { instance: withConditions(condition("Synchronized", "False", "ErrImagePull")) },
    ],
    ["Starting", { instance: instance("Scheduled") }],
    ["Starting", {}],
    ["CrashLoopBackOff", { startFailure: failure }],
    ["Stopped", { vm: machine("Halted") }],
    ["Stopped", { vm: machine("Manual"), instance: instance("Succeeded") }],
    ["Stopped", { vm: machine("Halted"), missingClaims: ["a"] }],
  ];
  for (const [word, more] of cases) {
    const all = { vm: machine("Always"), instance: undefined, ...seen, ...more };
    assert.equal(printableStatus(all), word, JSON.stringify(more));
  }
});
