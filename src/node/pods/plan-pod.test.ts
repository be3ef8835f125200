import assert from "node:assert/strict";
import { test } from "node:test";
import { instancesOf } from "./instances.ts";
import { planPod } from "./plan-pod.ts";
import { newPodState, nextBackoff, podTrouble } from "./pod-state.ts";
import type { PodState } from "./pod-state.ts";
import type { Pod } from "./pod.ts";
import type { ContainerStatus, RuntimePod } from "../runtime.ts";

const now = Date.UTC(2026, 0, 1);
const web = { name: "web", image: "web:1" };
const side = { name: "side", image: "side:1", restartPolicy: "Always" };
const init = { name: "init", image: "init:1" };

const pod = (spec: object = {}, more: any = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "p",
    namespace: "default",
    uid: "u",
    resourceVersion: "1",
    creationTimestamp: "",
    ...more.metadata,
  },
  spec: { containers: [web], ...spec },
  status: more.status,
});

const container = (name: string, more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  id: `${name}-${more.attempt ?? 0}`,
  sandboxId: "s0",
  name,
  attempt: 0,
  state: "running",
  createdAt: now,
  startedAt: now,
  finishedAt: now,
  exitCode: 0,
  reason: "",
  message: "",
  image: "",
  imageId: "",
  labels: {},
  annotations: {},
  logPath: "",
  ...more,
});

const exited = (name: string, exitCode: number, more: Partial<ContainerStatus> = {}) =>
  container(name, { state: "exited", exitCode, ...more });

const runtime = (containers: ContainerStatus[], ready = true): RuntimePod => ({
  sandboxes: [
    {
      id: "s0",
      podUid: "u",
      namespace: "default",
      name: "p",
      attempt: 0,
      ready,
      createdAt: now,
      ips: [],
      labels: {},
      annotations: {},
    },
  ],
  containers,
});

function ready(change: (state: PodState) => void = () => {}): PodState {
  const state = newPodState();
  state.volumesReady = true;
  for (const { name } of [web, side, init]) state.images.set(name, "id");
  for (const id of ["side-0", "web-0"]) state.probes.set(id, { started: true, ready: true });
  change(state);
  return state;
}

/** A pod of which nothing is there, and whose images are wanted before its sandbox. */
function newly(change: (state: PodState) => void): PodState {
  const state = { ...newPodState(), imagesFirst: true };
  change(state);
  return state;
}

const failed = { reason: "ErrImagePull", message: "", retryAt: now + 10_000, failures: 1 };

const brief = (of: Pod, from: RuntimePod | undefined, state: PodState, at = now) =>
  planPod(of, instancesOf(of, from), state, at).actions.map((action) =>
    action.do === "start" ? `${action.key}#${action.attempt}` : action.key,
  );

const never = { restartPolicy: "Never" };
const deleted = {
  metadata: { deletionTimestamp: new Date(now + 30_000).toISOString() },
};
const sides = { initContainers: [side] };

const rows: [string, Pod, RuntimePod | undefined, PodState, string[]][] = [
  [
    "a new pod gets sandbox, volumes and image at once",
    pod(),
    undefined,
    newPodState(),
    ["sandbox", "volumes", "image/web"],
  ],
  [
    "where images come first, the sandbox waits for all of them",
    pod({ initContainers: [init] }),
    undefined,
    newly((state) => state.images.set("init", "id")),
    ["image/web", "volumes"],
  ],
  [
    "and is made when they are there",
    pod({ initContainers: [init] }),
    undefined,
    newly((state) => ["init", "web"].forEach((name) => state.images.set(name, "id"))),
    ["sandbox", "volumes"],
  ],
  [
    "one that failed and is needed at first is tried again when its time has come",
    pod(),
    undefined,
    newly((state) => state.trouble.set("web", failed)),
    ["volumes"],
  ],
  [
    "one that failed does not keep its neighbours back",
    pod({ containers: [web, { ...web, name: "other" }] }),
    undefined,
    newly((state) => {
      state.images.set("other", "id");
      state.trouble.set("web", failed);
    }),
    ["sandbox", "volumes"],
  ],
  [
    "one that failed and is needed later keeps nobody back",
    pod({ initContainers: [init] }),
    undefined,
    newly((state) => {
      state.images.set("init", "id");
      state.trouble.set("web", failed);
    }),
    ["sandbox", "volumes"],
  ],
  [
    "a sandbox that failed rests, whatever becomes of the volumes",
    pod(),
    undefined,
    { ...ready(), trouble: new Map([[podTrouble.sandbox, failed]]) },
    [],
  ],
  ["a container starts once all is there", pod(), runtime([]), ready(), ["start/web#0"]],
  ["a running pod is left alone", pod(), runtime([container("web")]), ready(), []],
  [
    "init containers come first",
    pod({ initContainers: [init] }),
    runtime([]),
    ready(),
    ["start/init#0"],
  ],
  [
    "an init container that failed is tried again",
    pod({ initContainers: [init] }),
    runtime([exited("init", 1)]),
    ready(),
    ["start/init#1"],
  ],
  [
    "main containers follow init containers",
    pod({ initContainers: [init] }),
    runtime([exited("init", 0)]),
    ready(),
    ["start/web#0"],
  ],
  [
    "main containers follow a started sidecar",
    pod(sides),
    runtime([container("side")]),
    ready(),
    ["start/web#0"],
  ],
  [
    "main containers wait for a sidecar's startup probe",
    pod(sides),
    runtime([container("side")]),
    ready((state) => state.probes.set("side-0", { started: false, ready: false })),
    [],
  ],
  ["an exited container restarts", pod(), runtime([exited("web", 0)]), ready(), ["start/web#1"]],
  [
    "it waits in back-off",
    pod(),
    runtime([exited("web", 1)]),
    ready((state) => state.backoffs.set("web", { delayMs: 10_000, at: now })),
    [],
  ],
  ["Never means never", pod(never), runtime([exited("web", 1)]), ready(), ["stop"]],
  [
    "a sidecar ends after the main containers",
    pod({ ...never, ...sides }),
    runtime([exited("web", 0), container("side")]),
    ready(),
    ["kill/side"],
  ],
  [
    "OnFailure restarts a failure",
    pod({ restartPolicy: "OnFailure" }),
    runtime([exited("web", 1)]),
    ready(),
    ["start/web#1"],
  ],
  [
    "a dead sandbox is made anew",
    pod(),
    runtime([exited("web", 137)], false),
    ready(),
    ["sandbox"],
  ],
  [
    "a container that fails its liveness probe is killed",
    pod(),
    runtime([container("web")]),
    ready((state) => state.probes.set("web-0", { started: true, ready: true, unhealthy: "x" })),
    ["kill/web"],
  ],
  ["a deleted pod is killed", pod({}, deleted), runtime([container("web")]), ready(), ["kill/web"]],
  [
    "sidecars are killed after the others",
    pod(sides, deleted),
    runtime([container("web"), container("side")]),
    ready(),
    ["kill/web"],
  ],
  ["then its sandbox is stopped", pod({}, deleted), runtime([exited("web", 0)]), ready(), ["stop"]],
  [
    "then it is finished",
    pod({}, deleted),
    runtime([exited("web", 0)], false),
    ready(),
    ["finish"],
  ],
  [
    "an active deadline ends it",
    pod({ activeDeadlineSeconds: 5 }, { status: { startTime: "2025-01-01T00:00:00Z" } }),
    runtime([container("web")]),
    ready(),
    ["end"],
  ],
  ["nothing is begun twice", pod(), undefined, ready((state) => state.busy.add("sandbox")), []],
];

for (const [name, of, from, state, expected] of rows) {
  test(name, () => assert.deepEqual(brief(of, from, state), expected));
}

test("after a power cut the same pod counts one restart", () => {
  const status = {
    phase: "Running",
    containerStatuses: [
      { name: "web", restartCount: 2, containerID: "containerd://x", state: { running: {} } },
    ],
  };
  assert.deepEqual(brief(pod({}, { status }), runtime([]), ready()), ["start/web#3"]);
});

test("back-off doubles to five minutes and resets after ten quiet minutes", () => {
  let backoff = nextBackoff(undefined, now, now);
  const delays = [backoff.delayMs];
  for (let i = 0; i < 6; i++) {
    backoff = nextBackoff(backoff, now, now);
    delays.push(backoff.delayMs);
  }
  assert.deepEqual(
    delays,
    [10, 20, 40, 80, 160, 300, 300].map((seconds) => seconds * 1000),
  );
  assert.equal(nextBackoff(backoff, now + 600_001, now).delayMs, 10_000);
});
