import assert from "node:assert/strict";
import { test } from "node:test";
import { movedAddress } from "../../lib/moved-address.ts";
import { domainAnnotation } from "../domain.ts";
import { domainOf } from "../domain-of.ts";
import {
  migrationOptions,
  outcomeOf,
  planMigration,
  postCopyCondition,
  volumesToCopy,
} from "./plan.ts";
import { movedObject } from "./moved-address.ts";
import type { MigrationProgress } from "../control.ts";
import type { MigrationState, Outcome } from "./plan.ts";

const object = (metadata: any, rest: any = {}): any => ({
  apiVersion: "",
  kind: "",
  metadata: { name: "x", uid: "1", resourceVersion: "1", creationTimestamp: "", ...metadata },
  ...rest,
});
const running = object(
  {},
  {
    spec: { nodeName: "b" },
    status: { phase: "Running", containerStatuses: [{ state: { running: {} } }] },
  },
);
const unscheduled = object({}, { spec: {}, status: { phase: "Pending" } });
const scheduled = object({}, { spec: { nodeName: "b" }, status: { phase: "Pending" } });
const able = (status = "True") =>
  object({}, { status: { phase: "Running", conditions: [{ type: "LiveMigratable", status }] } });

const withMove = (migrationState: object) => ({
  ...able(),
  status: { ...able().status, migrationState },
});
const moved = withMove({ migrationUid: "1", completed: true });
const movedBefore = withMove({ migrationUid: "0", completed: true });

function plan(phase: string | undefined, more: Partial<MigrationState> = {}, metadata = {}) {
  const migration = object(metadata, { status: phase ? { phase } : undefined });
  const there = { vmi: able(), source: running, target: undefined, isBehind: false };
  return planMigration({ migration, ...there, ...more });
}

test("a migration goes from step to step as its target comes up", () => {
  const rows: [string | undefined, Partial<MigrationState>, object][] = [
    [undefined, {}, { do: "phase", phase: "Pending" }],
    ["Pending", {}, { do: "create target" }],
    ["Pending", { isBehind: true }, { do: "wait" }],
    ["Scheduling", { target: unscheduled }, { do: "wait" }],
    ["Scheduling", { target: scheduled }, { do: "phase", phase: "Scheduled" }],
    ["Scheduled", { target: scheduled }, { do: "wait" }],
    ["Scheduled", { target: running }, { do: "phase", phase: "PreparingTarget" }],
    ["PreparingTarget", { target: running }, { do: "begin" }],
    ["Running", { target: running }, { do: "follow" }],
    ["Running", { target: undefined }, { do: "follow" }],
    ["Running", { vmi: moved, source: undefined, target: running }, { do: "finish" }],
    ["Running", { vmi: movedBefore, target: running }, { do: "follow" }],
    ["Succeeded", {}, { do: "release" }],
  ];
  for (const [phase, more, expected] of rows) assert.deepEqual(plan(phase, more), expected);
});

test("a migration that cannot be says why", () => {
  const reason = (phase: string, more: Partial<MigrationState>) =>
    (plan(phase, more) as any).reason;
  assert.match(reason("Pending", { vmi: able("False") }), /not live migratable/);
  assert.match(reason("Pending", { vmi: undefined }), /does not exist/);
  assert.match(reason("Running", { target: running, source: undefined }), /VMI ended/);
  assert.match(reason("Scheduled", { target: undefined }), /target pod ended/);
});

test("a migration that is deleted is cancelled once it runs, and ends at once before that", () => {
  const leaving = { deletionTimestamp: "now" };
  assert.deepEqual(plan("Running", { target: running }, leaving), { do: "cancel" });
  assert.deepEqual(plan("PreparingTarget", { target: running }, leaving), { do: "cancel" });
  assert.equal(plan("Scheduling", { target: unscheduled }, leaving).do, "fail");
  assert.equal(plan("Running", { target: running, source: undefined }, leaving).do, "fail");
  assert.equal(plan("Failed", {}, leaving).do, "release");
});

test("what a guest wrote to goes along, unless both nodes have it", () => {
  const volumes = [
    { name: "root", containerDisk: { image: "i" } },
    { name: "seed", cloudInitNoCloud: { userData: "x" } },
    { name: "own", persistentVolumeClaim: { claimName: "own" } },
    { name: "shared", persistentVolumeClaim: { claimName: "shared" } },
  ];
  const vmi = object({ namespace: "n" }, { spec: { domain: { devices: {} }, volumes } });
  const domain = domainOf(vmi, { isBlock: () => false, isShared: (name) => name === "shared" });
  const pod = object({ annotations: { [domainAnnotation]: JSON.stringify(domain) } });
  assert.deepEqual(volumesToCopy(pod), ["root", "own"]);
});

const launcher = (more: object = {}) => {
  const text = JSON.stringify({ memoryBytes: 2 ** 29, disks: [], ...more });
  return object({ annotations: { [domainAnnotation]: text } });
};

test("bandwidth and auto-converge are as the cluster says", () => {
  const set = { bandwidthPerMigration: "1Mi", allowAutoConverge: true };
  const shared = migrationOptions(set, launcher());
  assert.equal(shared.bandwidthBytesPerSecond, 2 ** 20);
  assert.equal(shared.autoConverge, true);
  assert.equal(migrationOptions({}, launcher()).autoConverge, false);
});

test("what became of a guest that moves is told by its source and by its pod at the target", () => {
  const ended = object({}, { spec: {}, status: { phase: "Failed" } });
  const rows: [MigrationProgress["phase"], ...Outcome[]][] = [
    // phase at the source; outcome where the target runs, has ended, is gone
    ["none", "failed", "failed", "failed"],
    ["copying disks", "moving", "forsaken", "forsaken"],
    ["running", "moving", "forsaken", "forsaken"],
    // Its address would cut it off from what it fetches.
    ["post-copy", "moving", "lost", "lost"],
    ["interrupted", "interrupted", "lost", "lost"],
    ["completed", "there", "there", "lost"],
    ["failed", "failed", "failed", "failed"],
    ["cancelled", "failed", "failed", "failed"],
    ["lost", "lost", "lost", "lost"],
  ];
  const bytes = { transferredBytes: 0, remainingBytes: 0, totalBytes: 0 };
  for (const [phase, ...expected] of rows) {
    const outcomes = [running, ended, undefined].map((one) => outcomeOf({ phase, ...bytes }, one));
    assert.deepEqual(outcomes, expected, phase);
  }
});

test("a guest goes on before its memory is there where that is allowed, after a time for each GiB", () => {
  const replicated = { disks: [{ name: "data", source: { kind: "file", replicated: true } }] };
  const cases: [object, object, number | undefined][] = [
    [{}, {}, undefined],
    [{ allowPostCopy: true }, {}, 75_000],
    [{ allowPostCopy: true, completionTimeoutPerGiB: 10 }, {}, 5000],
    [{ allowPostCopy: true, completionTimeoutPerGiB: 0 }, {}, undefined],
    [{ allowPostCopy: true }, replicated, undefined],
    [{ completionTimeoutPerGiB: 10 }, {}, undefined],
  ];
  assert.equal(migrationOptions({ completionTimeoutPerGiB: 10 }, launcher()).abortAfterMs, 5000);
  assert.equal(migrationOptions({}, launcher()).abortAfterMs, undefined, "only who says so");
  for (const [set, domain, expected] of cases) {
    const { postCopyAfterMs } = migrationOptions(set, launcher(domain));
    assert.equal(postCopyAfterMs, expected, JSON.stringify([set, domain]));
  }
});

test("a migration says when its target cannot do what was allowed", () => {
  const target = { host: "", port: 1, key: "" };
  assert.equal(postCopyCondition(target), undefined, "nobody asked");
  assert.equal(postCopyCondition({ ...target, postCopy: { isAble: true } }), undefined);
  const { status, message } = postCopyCondition({
    ...target,
    postCopy: { isAble: false, why: "no userfaultfd" },
  })!;
  assert.deepEqual([status, /no userfaultfd/.test(message)], ["False", true]);
});

test("the address of a guest leads to the pod it moved to; one on a bridge has none to take along", () => {
  const target = (binding: string) => {
    const domain = { address: "10.1.0.2", interfaces: [{ binding }] };
    const annotations = { [domainAnnotation]: JSON.stringify(domain) };
    return object({ uid: "target", annotations }, { spec: { nodeName: "b" } });
  };
  const vmi = object({ namespace: "default", name: "guest" });
  const moved = movedObject({ vmi, target: target("masquerade"), through: "10.1.1.9" });
  assert.deepEqual(movedAddress(moved!), {
    ...{ address: "10.1.0.2", node: "b", podUid: "target", through: "10.1.1.9" },
  });
  assert.equal(movedObject({ vmi, target: target("user"), through: "10.1.1.9" }), undefined);
});
