import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePath } from "./protocol.ts";
import { planRestart, planStart, planStop } from "./run-requests.ts";

const vm = (spec: object): any => ({ metadata: { name: "till" }, spec });
const instance = (phase: string): any => ({
  metadata: { name: "till", uid: "i" },
  spec: { terminationGracePeriodSeconds: 30 },
  status: { phase },
});
const up = instance("Running");
const done = instance("Succeeded");
const stop = { action: "Stop", uid: "i" };
const start = { action: "Start" };

test("start, stop and restart do what the run strategy lets them, and say what it does not", () => {
  const say = (run: () => unknown) => {
    try {
      return run();
    } catch (error) {
      return (error as Error).message.replace(/^.*"till": /, "");
    }
  };
  const of = (runStrategy: string) => vm({ runStrategy });
  const cases: [string, () => unknown, unknown][] = [
    [
      "start halted",
      () => planStart(of("Halted"), undefined, {}),
      { spec: { runStrategy: "Always" } },
    ],
    [
      "start not running",
      () => planStart(vm({ running: false }), undefined, {}),
      { spec: { running: true } },
    ],
    [
      "start paused",
      () => planStart(of("Halted"), undefined, { paused: true }),
      { requests: [{ action: "Start", data: { paused: "true" } }] },
    ],
    [
      "start always",
      () => planStart(of("Always"), undefined, {}),
      "Always does not support manual start requests",
    ],
    ["start manual", () => planStart(of("Manual"), undefined, {}), { requests: [start] }],
    ["start ended", () => planStart(of("Manual"), done, {}), { requests: [stop, start] }],
    ["start running", () => planStart(of("Manual"), up, {}), "VM is already running"],
    ["stop always", () => planStop(of("Always"), up, {}), { spec: { runStrategy: "Halted" } }],
    ["stop running", () => planStop(vm({ running: true }), up, {}), { spec: { running: false } }],
    [
      "stop now",
      () => planStop(of("Always"), up, { gracePeriod: 0 }),
      { graceSeconds: 0, spec: { runStrategy: "Halted" } },
    ],
    [
      "stop what restarts",
      () => planStop({ ...of("Always"), status: { stateChangeRequests: [stop, start] } }, up, {}),
      { spec: { runStrategy: "Halted" }, requests: [] },
    ],
    ["stop manual", () => planStop(of("Manual"), up, {}), { requests: [stop] }],
    ["stop stopped", () => planStop(of("Manual"), undefined, {}), "VM is not running"],
    ["stop halted", () => planStop(of("Halted"), undefined, {}), "VM is not running"],
    [
      "stop halting",
      () => planStop(of("Halted"), up, {}),
      "Halted only supports manual stop requests with a shorter graceperiod",
    ],
    [
      "stop halting now",
      () => planStop(of("Halted"), up, { gracePeriod: 0 }),
      { graceSeconds: 0, force: true },
    ],
    ["restart", () => planRestart(of("Always"), up, {}), { requests: [stop, start] }],
    [
      "restart now",
      () => planRestart(of("Always"), up, { gracePeriodSeconds: 0 }),
      { requests: [stop, start], graceSeconds: 0, force: true },
    ],
    [
      "restart in a while",
      () => planRestart(of("Always"), up, { gracePeriodSeconds: 5 }),
      "For force restart, only gracePeriod=0 is supported for now",
    ],
    [
      "restart halted",
      () => planRestart(of("Halted"), up, {}),
      "RunStategy Halted does not support manual restart requests",
    ],
    ["restart nothing", () => planRestart(of("Always"), undefined, {}), "VM is not running"],
  ];
  for (const [name, run, expected] of cases) assert.deepEqual(say(run), expected, name);
});

test("a path says what is asked of whom", () => {
  const root = "/apis/subresources.kubevirt.io/v1";
  const at = (path: string) => {
    const { query: _, ...asked } = parsePath(root + path) ?? { query: 0 };
    return asked;
  };
  const vmi = { resource: "virtualmachineinstances", namespace: "shop", name: "till" };
  const of = (path: string) => at(`/namespaces/shop/virtualmachineinstances/till/${path}`);
  assert.deepEqual(of("console"), { ...vmi, action: "console", rest: [] });
  assert.deepEqual(of("vnc/screenshot?moveCursor=true"), {
    ...vmi,
    action: "vnc/screenshot",
    rest: [],
  });
  assert.deepEqual(of("portforward/22/tcp"), {
    ...vmi,
    action: "portforward",
    rest: ["22", "tcp"],
  });
  assert.deepEqual(at("/version"), { namespace: "", name: "", action: "version", rest: [] });
  assert.deepEqual(at("/namespaces/shop/expand-vm-spec"), {
    namespace: "shop",
    name: "",
    action: "expand-vm-spec",
    rest: [],
  });
  assert.deepEqual(at("/namespaces/shop/pods/till/exec"), {});
  assert.equal(parsePath("/apis/kubevirt.io/v1/namespaces/a/virtualmachines/b/start"), undefined);
});
