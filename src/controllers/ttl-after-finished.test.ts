import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { timestamp } from "../lib/clock.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { leftMs, ttlAfterFinished } from "./ttl-after-finished.ts";

const jobs = resource("batch/v1", "jobs");
const template = {
  spec: { restartPolicy: "Never", containers: [{ name: "c", image: "busybox" }] },
};

test("a finished job goes when its time is over, one without a time stays", async (t) => {
  const clock = new FakeClock();
  const { client, scope, informer } = await startControlled([ttlAfterFinished], { clock });
  t.after(() => scope.close());
  const create = async (name: string, spec: object, finished: boolean) => {
    const metadata = { name, namespace: "default" };
    const target = { ...jobs, namespace: "default" };
    const draft = { apiVersion: "batch/v1", kind: "Job", metadata, spec: { ...spec, template } };
    await client.create(target, draft);
    const time = timestamp(clock.now());
    const conditions = ["SuccessCriteriaMet", "Complete"].map((type) => {
      return { type, status: "True", lastProbeTime: time, lastTransitionTime: time };
    });
    const status = { startTime: time, completionTime: time, conditions };
    if (finished)
      await client.patch({ ...target, name, subresource: "status" }, "merge", { status });
  };
  await create("short", { ttlSecondsAfterFinished: 30 }, true);
  await create("running", { ttlSecondsAfterFinished: 30 }, false);
  await create("kept", {}, true);
  const left = () =>
    informer(jobs)
      .list()
      .filter(({ metadata }) => !metadata.deletionTimestamp)
      .map(({ metadata }) => metadata.name)
      .sort();
  await clock.advance(29_000);
  assert.deepEqual(left(), ["kept", "running", "short"]);
  await clock.advance(2000);
  assert.deepEqual(left(), ["kept", "running"]);
});

test("a job that a wrong clock finished in the future gets one lifetime", () => {
  const end = { type: "Failed", status: "True", lastTransitionTime: "2100-01-01T00:00:00Z" };
  const job: any = {
    metadata: {},
    spec: { ttlSecondsAfterFinished: 5 },
    status: { conditions: [end] },
  };
  assert.equal(leftMs(job, 0), 5000);
  assert.equal(leftMs({ ...job, spec: {} }, 0), undefined);
});
