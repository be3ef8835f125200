import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSchedule } from "../../lib/cron-schedule.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { desiredDigest, importVolume, nextPoll, planCron, waitMs } from "./plan.ts";

const now = Date.parse("2030-01-01T12:00:00Z");
const digest = `sha256:${"c0ffee".repeat(10)}abcd`;
const cron = (spec: object = {}, status: object = {}, annotation = digest): KubeObject =>
  ({
    metadata: {
      ...{ namespace: "shop", name: "debian", creationTimestamp: "2030-01-01T00:00:00Z" },
      ...(annotation && { annotations: { [desiredDigest]: annotation } }),
    },
    spec: {
      managedDataSource: "debian",
      template: { spec: { source: { registry: { url: "docker://host:5000/debian" } } } },
      ...spec,
    },
    status,
  }) as any;
const made = (name: string, hour: number, phase = "Succeeded"): KubeObject =>
  ({
    metadata: { name, creationTimestamp: `2030-01-01T0${hour}:00:00Z` },
    status: { phase },
  }) as any;
const current = "debian-c0ffeec0ffee";
const names = (list: KubeObject[]) => list.map(({ metadata }) => metadata.name);
const words = (plan: { status: any }) =>
  plan.status.conditions.map(({ type, reason }: any) => `${type} ${reason}`).join(", ");

test("a registry is asked at once, and then as the schedule says", () => {
  const schedule = parseSchedule("30 * * * *", "UTC", 0);
  assert.equal(nextPoll({ cron: cron(), schedule }), 0);
  const asked = cron({}, { lastExecutionTimestamp: "2030-01-01T11:45:00Z" });
  assert.equal(nextPoll({ cron: asked, schedule }), now + 30 * 60_000);
  const seen = { cron: asked, dataVolumes: [], schedule, now };
  assert.equal(waitMs(seen), 30 * 60_000);
  assert.equal(waitMs({ ...seen, trouble: "it does not answer" }), 60_000);
  assert.equal(waitMs({ ...seen, schedule: undefined }), undefined);
});

test("what the registry has is imported once, by its digest", () => {
  const plan = planCron({ cron: cron(), dataVolumes: [], now });
  assert.deepEqual(plan.create, { name: current, digest });
  assert.deepEqual(plan.status.currentImports, [{ DataVolumeName: current, Digest: digest }]);
  const { spec, metadata } = importVolume(cron(), plan.create!);
  assert.equal(spec.source.registry.url, `docker://host:5000/debian@${digest}`);
  assert.deepEqual(metadata.labels, { "cdi.kubevirt.io/dataImportCron": "debian" });
  const dataVolumes = [made(current, 1, "ImportInProgress")];
  const again = planCron({ cron: cron(), dataVolumes, now });
  assert.deepEqual([again.create, again.source], [undefined, undefined]);
  assert.equal(words(again), "Progressing ImportProgressing, UpToDate Outdated");
});

test("a DataSource leads to an import once that has succeeded, and the oldest others go", () => {
  const dataVolumes = ["a", "b", "c"].map((name, i) => made(name, i + 1));
  dataVolumes.push(made(current, 9));
  const of = (spec: object) => planCron({ cron: cron(spec), dataVolumes, now });
  assert.equal(of({}).source, current);
  assert.equal(of({}).status.lastImportedPVC.name, current);
  assert.deepEqual(names(of({}).delete), ["a"]);
  assert.deepEqual(names(of({ importsToKeep: 1 }).delete), ["c", "b", "a"]);
  assert.deepEqual(of({ garbageCollect: "Never" }).delete, []);
  assert.equal(words(of({})), "Progressing NoImport, UpToDate UpToDate");
});

test("without an answer of the registry nothing is imported, and the condition says why", () => {
  const plan = planCron({ cron: cron({}, {}, ""), dataVolumes: [], now, trouble: "it is away" });
  assert.deepEqual([plan.create, plan.delete], [undefined, []]);
  assert.equal(plan.status.conditions[1].message, "it is away");
});
