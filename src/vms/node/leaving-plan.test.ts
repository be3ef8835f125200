import assert from "node:assert/strict";
import { test } from "node:test";
import { cancelRefusal, isAway, isLeaving, leavingStatus, nextStep } from "./leaving-plan.ts";
import type { CancelFacts, Phase, Step } from "./leaving-plan.ts";

const phases: Phase[] = [
  ...(["copying disks", "running", "post-copy", "interrupted", "failed", "cancelled"] as const),
  ...(["completed", "lost"] as const),
];

test("what is next follows from the noted phase and QEMU's word, whoever asks", () => {
  const rows: [status: string, ...Step[]][] = [
    // copying disks, running, post-copy, interrupted, failed, cancelled
    ["none", "copy disks", "send memory", "lose", "lose", "fail", "fail"],
    ["setup", "copy disks", "wait", "lose", "lose", "cancel", "cancel"],
    ["active", "copy disks", "wait", "lose", "lose", "cancel", "cancel"],
    ["wait-unplug", "copy disks", "wait", "lose", "lose", "cancel", "cancel"],
    ["pre-switchover", "copy disks", "switch", "lose", "lose", "cancel", "cancel"],
    ["device", "copy disks", "wait", "lose", "lose", "cancel", "cancel"],
    ["cancelling", "copy disks", "wait", "lose", "lose", "wait", "wait"],
    ["cancelled", "copy disks", "fail", "lose", "lose", "fail", "fail"],
    ["failed", "copy disks", "fail", "lose", "lose", "fail", "fail"],
    ["postcopy-active", "copy disks", ...others("enter post-copy")],
    ["postcopy-recover", "copy disks", ...others("wait")],
    ["postcopy-paused", "copy disks", ...others("enter interrupted")],
    ["completed", "copy disks", ...others("complete")],
  ];
  for (const [status, ...steps] of rows) {
    const expected = [...steps, "nothing", "nothing"];
    assert.deepEqual(
      phases.map((phase) => nextStep(phase, status)),
      expected,
      status,
    );
  }
});

const others = (step: Step): Step[] => [step, step, step, step, step];

test("how a guest arrived is not taken for how it leaves", () => {
  const cases: [Parameters<typeof leavingStatus>[0], string | undefined][] = [
    [{}, undefined],
    [{ status: "completed" }, "none"],
    [{ status: "postcopy-active" }, "none"],
    [{ status: "completed", ram: {} }, "completed"],
    [{ status: "postcopy-paused", ram: {} }, "postcopy-paused"],
    [{ status: "setup" }, "setup"],
    [{ status: "failed" }, "failed"],
  ];
  for (const [info, expected] of cases) assert.equal(leavingStatus(info), expected);
});

test("a QEMU that never sent a guest says nothing of it", () => {
  assert.equal(nextStep("running"), "send memory");
});

test("a guest is its node's until its memory is sent, and again when that failed", () => {
  assert.deepEqual(phases.filter(isAway), [
    ...["running", "post-copy", "interrupted", "completed", "lost"],
  ]);
  assert.deepEqual(phases.filter(isLeaving), [
    ...["copying disks", "running", "post-copy", "interrupted"],
  ]);
  assert.equal(isAway(undefined) || isLeaving(undefined), false);
});

test("a migration is cancelled until the guest may run elsewhere, and no later", () => {
  const elsewhere = /runs elsewhere already/;
  const justNow = /goes on elsewhere just now/;
  const rows: [Partial<CancelFacts>, RegExp | undefined][] = [
    [{ phase: undefined }, /is not migrating/],
    [{ phase: "failed" }, /is not migrating/],
    [{ phase: "cancelled" }, /is not migrating/],
    [{ phase: "copying disks" }, undefined],
    [{}, undefined],
    [{ status: "setup" }, undefined],
    [{ isPostCopyAsked: true }, justNow],
    [{ runState: "paused" }, undefined],
    [{ runState: "finish-migrate" }, justNow],
    [{ runState: "finish-migrate", status: "pre-switchover" }, undefined],
    [{ runState: "finish-migrate", status: "device" }, justNow],
    [{ status: "completed", runState: "postmigrate" }, elsewhere],
    [{ phase: "post-copy", status: "postcopy-active" }, elsewhere],
    [{ phase: "interrupted", status: "postcopy-paused" }, elsewhere],
    [{ phase: "completed", status: "completed" }, elsewhere],
    [{ phase: "lost" }, elsewhere],
  ];
  const sending = { isPostCopyAsked: false, status: "active", runState: "running" };
  for (const [facts, expected] of rows) {
    const why = cancelRefusal({ phase: "running", ...sending, ...facts });
    if (expected) assert.match(why ?? "", expected, JSON.stringify(facts));
    else assert.equal(why, undefined, JSON.stringify(facts));
  }
});
