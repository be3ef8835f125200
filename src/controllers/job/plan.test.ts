import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { seededRandom } from "../../lib/random.ts";
import { backoffMs, plan, type Plan } from "./plan.ts";
import { jobPod } from "./pod.ts";
import { trackingFinalizer } from "./tally.ts";

const now = Date.UTC(2026, 0, 1);
const at = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString();

const job = (spec: object = {}, status: object = {}): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: {
    name: "work",
    namespace: "default",
    uid: "job",
    resourceVersion: "1",
    creationTimestamp: at(60),
  },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    template: { spec: { restartPolicy: "Never", containers: [{ name: "main" }] } },
    ...spec,
  },
  status: { startTime: at(60), ...status },
});

interface PodState {
  phase?: string;
  index?: number;
  exitCode?: number;
  endedAgo?: number;
  released?: boolean;
  terminating?: boolean;
  conditions?: object[];
  restarts?: number;
  failures?: number;
}

let serial = 0;
const pod = (state: PodState = {}): KubeObject => {
  const uid = `p${serial++}`;
  const { phase = "Running", index, exitCode, endedAgo = 3600, restarts = 0 } = state;
  const ended = exitCode !== undefined || phase === "Succeeded" || phase === "Failed";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: uid,
      namespace: "default",
      uid,
      resourceVersion: "1",
      creationTimestamp: at(30),
      ...(!state.released && { finalizers: [trackingFinalizer] }),
      ...(state.terminating && { deletionTimestamp: at(1) }),
      annotations: {
        ...(index !== undefined && { "batch.kubernetes.io/job-completion-index": `${index}` }),
        ...(state.failures !== undefined && {
          "batch.kubernetes.io/job-index-failure-count": `${state.failures}`,
        }),
      },
    },
    spec: {},
    status: {
      phase,
      conditions: state.conditions ?? [],
      containerStatuses: [
        {
          name: "main",
          restartCount: restarts,
          ...(ended && {
            state: { terminated: { exitCode: exitCode ?? 0, finishedAt: at(endedAgo) } },
          }),
        },
      ],
    },
  };
};

const planned = (of: KubeObject, pods: KubeObject[] = []) => plan({ job: of, pods, now });
const condition = (of: Plan, type: string) =>
  of.status["conditions"]?.find((entry: { type: string }) => entry.type === type);
const failedPod = (state: PodState = {}) => pod({ phase: "Failed", exitCode: 1, ...state });
const indexed = (spec: object = {}) => ({ completionMode: "Indexed", completions: 3, ...spec });

test("a job starts as many pods as may run at once and are still needed", () => {
  const rows: [object, KubeObject[], number][] = [
    [{ completions: 5, parallelism: 2 }, [], 2],
    [{ completions: 5, parallelism: 2 }, [pod()], 1],
    [{ completions: 1, parallelism: 2 }, [], 1],
    [{ completions: undefined, parallelism: 3 }, [], 3],
    [{ completions: undefined, parallelism: 3 }, [pod(), pod({ phase: "Succeeded" })], 0],
    [{ completions: 2, parallelism: 2 }, [pod({ phase: "Succeeded" })], 1],
  ];
  for (const [spec, pods, count] of rows) {
    assert.equal(planned(job(spec), pods).create.length, count);
  }
});

test("a pod's success is noted, then counted once its finalizer is gone, then completes the job", () => {
  const done = pod({ phase: "Succeeded" });
  const first = planned(job(), [done]);
  assert.deepEqual(first.status["uncountedTerminatedPods"], { succeeded: [done.metadata.uid] });
  assert.equal(first.status["succeeded"], undefined);
  assert.deepEqual(first.release, [done]);
  assert.equal(condition(first, "SuccessCriteriaMet").reason, "CompletionsReached");
  assert.equal(condition(first, "Complete"), undefined);

  const { finalizers: _, ...metadata } = done.metadata;
  const second = planned(job({}, first.status), [{ ...done, metadata }]);
  assert.equal(second.status["succeeded"], 1);
  assert.deepEqual(second.status["uncountedTerminatedPods"], {});
  assert.equal(condition(second, "Complete").status, "True");
  assert.ok(second.status["completionTime"]);
  assert.deepEqual(second.events, [
    { type: "Normal", reason: "Completed", message: "Job completed" },
  ]);
});

test("failed pods are replaced after a back-off that doubles with every failure in a row", () => {
  const rows: [number[], number[], number][] = [
    [[], [], 0],
    [[0], [], 10_000],
    [[4, 9], [], 16_000],
    [[100, 200], [], 0],
    [[4, 50], [20], 6_000],
    [[-100], [], 10_000],
  ];
  for (const [failures, successes, expected] of rows) {
    const pods = [
      ...failures.map((endedAgo) => failedPod({ endedAgo })),
      ...successes.map((endedAgo) => pod({ phase: "Succeeded", endedAgo })),
    ];
    assert.equal(backoffMs(pods, now), expected, JSON.stringify([failures, successes]));
  }
  const result = planned(job(), [failedPod({ endedAgo: 4 })]);
  assert.deepEqual([result.create.length, result.wakeAfterMs], [0, 6000]);
});

test("a job fails for the reasons upstream knows", () => {
  const exit42 = {
    podFailurePolicy: {
      rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [42] } }],
    },
  };
  const rows: [string, object, object, KubeObject[]][] = [
    ["BackoffLimitExceeded", { backoffLimit: 1 }, { failed: 1 }, [failedPod()]],
    [
      "BackoffLimitExceeded",
      { backoffLimit: 2, template: { spec: { restartPolicy: "OnFailure" } } },
      {},
      [pod({ restarts: 2 })],
    ],
    ["DeadlineExceeded", { activeDeadlineSeconds: 60 }, {}, [pod()]],
    ["PodFailurePolicy", exit42, {}, [failedPod({ exitCode: 42 })]],
    [
      "FailedIndexes",
      indexed({ completions: 2, backoffLimitPerIndex: 0 }),
      { completedIndexes: "0" },
      [failedPod({ index: 1 })],
    ],
    [
      "MaxFailedIndexesExceeded",
      indexed({ backoffLimitPerIndex: 0, maxFailedIndexes: 0 }),
      {},
      [failedPod({ index: 1 })],
    ],
  ];
  for (const [reason, spec, status, pods] of rows) {
    const first = planned(job(spec, status), pods);
    assert.equal(condition(first, "FailureTarget")?.reason, reason);
    assert.equal(condition(first, "Failed"), undefined);
    assert.equal(first.create.length, 0);
    const gone = planned(job(spec, first.status), []);
    assert.equal(condition(gone, "Failed")?.reason, reason);
    assert.equal(gone.events[0]?.reason, reason);
  }
});

test("a failure that the policy ignores does not count", () => {
  const rules = [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget" }] }];
  const disrupted = failedPod({ conditions: [{ type: "DisruptionTarget", status: "True" }] });
  const result = planned(job({ backoffLimit: 0, podFailurePolicy: { rules } }), [disrupted]);
  assert.deepEqual(result.status["uncountedTerminatedPods"], {});
  assert.deepEqual(result.release, [disrupted]);
  assert.equal(condition(result, "FailureTarget"), undefined);
});

test("an indexed job runs each index once and remembers which are done", () => {
  const spec = indexed({ completions: 4, parallelism: 4 });
  const result = planned(job(spec), [pod({ index: 1 }), pod({ index: 2, phase: "Succeeded" })]);
  assert.deepEqual(
    result.create.map(({ index }) => index),
    [0, 3],
  );
  assert.equal(result.status["completedIndexes"], "2");
  assert.equal(result.status["succeeded"], 1);
});

test("two pods of one index are one too many", () => {
  const [first, second] = [pod({ index: 0 }), pod({ index: 0 })];
  const result = planned(job(indexed({ parallelism: 3 })), [first, second, pod({ index: 1 })]);
  assert.equal(result.discard.length, 1);
});

test("an index has its own back-off limit", () => {
  const spec = indexed({ completions: 2, parallelism: 2, backoffLimitPerIndex: 1 });
  const once = planned(job(spec), [failedPod({ index: 0, failures: 0 })]);
  assert.deepEqual(
    once.create.map(({ index, failures }) => [index, failures]),
    [
      [0, 1],
      [1, 0],
    ],
  );
  const twice = planned(job(spec), [failedPod({ index: 0, failures: 1 })]);
  assert.equal(twice.status["failedIndexes"], "0");
});

test("a success policy ends the job early", () => {
  const successPolicy = { rules: [{ succeededIndexes: "0", succeededCount: 1 }] };
  const running = pod({ index: 1 });
  const spec = indexed({ parallelism: 3, successPolicy });
  const result = planned(job(spec), [pod({ index: 0, phase: "Succeeded" }), running]);
  const met = condition(result, "SuccessCriteriaMet");
  assert.deepEqual([met.reason, met.message], ["SuccessPolicy", "Matched rules at index 0"]);
  assert.deepEqual(result.delete, [running]);
});

test("suspending stops the pods without counting them, resuming starts the clock anew", () => {
  const running = pod();
  const suspended = planned(job({ suspend: true }), [running]);
  assert.deepEqual(suspended.discard, [running]);
  assert.equal(suspended.status["startTime"], undefined);
  assert.equal(condition(suspended, "Suspended").reason, "JobSuspended");
  const resumed = planned(job({}, { ...suspended.status, startTime: undefined }), []);
  assert.equal(condition(resumed, "Suspended").reason, "JobResumed");
  assert.ok(resumed.status["startTime"]);
  assert.equal(resumed.create.length, 1);
});

test("a pod that is going is replaced at once, or when it has ended if that is asked for", () => {
  const going = pod({ terminating: true });
  assert.equal(planned(job(), [going]).create.length, 1);
  const patient = planned(job({ podReplacementPolicy: "Failed" }), [going]);
  assert.equal(patient.create.length, 0);
  assert.equal(patient.status["terminating"], 1);
});

test("a finished job goes when its time is over", () => {
  const finished = (ago: number) =>
    job(
      { ttlSecondsAfterFinished: 30 },
      { conditions: [{ type: "Complete", status: "True", lastTransitionTime: at(ago) }] },
    );
  assert.equal(planned(finished(10)).wakeAfterMs, 20_000);
  assert.equal(planned(finished(31)).expired, true);
});

test("a pod of an indexed job knows its index", () => {
  const made = jobPod(job(indexed()), { index: 2 }) as KubeObject;
  assert.equal(made.spec.hostname, "work-2");
  assert.equal(made.metadata.generateName, "work-2-");
  assert.equal(made.spec.containers[0].env[0].name, "JOB_COMPLETION_INDEX");
  assert.deepEqual(made.metadata.finalizers, [trackingFinalizer]);
});

test("whatever pods do, every end is counted exactly once", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const chance = (share: number) => random.float() < share;
    let state = job({ completions: 5, parallelism: 3, backoffLimit: 100 }, { startTime: at(60) });
    let pods: KubeObject[] = [];
    let ends = { succeeded: 0, failed: 0 };
    for (let step = 0; step < 200; step++) {
      const result = plan({ job: state, pods, now: now + step * 3_600_000 });
      // The status may be lost to a crash or a conflict: then nothing after it happens.
      if (chance(0.3)) continue;
      state = { ...state, status: result.status };
      for (const each of result.release) if (chance(0.7)) delete each.metadata.finalizers;
      if (chance(0.8)) for (const _ of result.create) pods.push(pod());
      const stopped = new Set([...result.discard, ...result.delete]);
      pods = pods.filter((each) => !stopped.has(each));
      for (const each of pods) {
        if (each.status.phase !== "Running" || !chance(0.3)) continue;
        each.status.phase = chance(0.5) ? "Succeeded" : "Failed";
        ends[each.status.phase === "Succeeded" ? "succeeded" : "failed"] += 1;
      }
    }
    assert.equal(state.status.succeeded ?? 0, ends.succeeded, `seed ${seed}`);
    assert.equal(state.status.failed ?? 0, ends.failed, `seed ${seed}`);
    assert.ok(ends.succeeded >= 5);
  }
});
