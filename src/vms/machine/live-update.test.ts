import assert from "node:assert/strict";
import { test } from "node:test";
import { planLiveUpdate } from "./live-update.ts";

const spec = (template: object = {}, domain: object = {}, rest: object = {}): any => ({
  instancetype: { name: "small", revisionName: "one" },
  ...rest,
  template: {
    spec: {
      domain: { cpu: { sockets: 2, cores: 1 }, memory: { guest: "1Gi" }, devices: {}, ...domain },
      ...template,
    },
  },
});
const arm = { nodeSelector: { arch: "arm" } };

function plan(now: any, { rollout = "LiveUpdate", status = {} }: any = {}) {
  const started = spec({ nodeSelector: { arch: "x86" } });
  return planLiveUpdate({
    vm: { spec: now } as any,
    ...{ started, expanded: now.template.spec, rollout },
    instance: { spec: started.template.spec, status } as any,
  });
}

test("where a machine may run goes on to its instance while it runs, but not while it moves", () => {
  const started = spec().template.spec;
  assert.deepEqual(plan(spec(arm)), { spec: { ...started, ...arm } });
  assert.deepEqual(plan(spec()), { spec: started });
  assert.equal(plan(spec({ nodeSelector: { arch: "x86" } })), undefined);
  assert.equal(plan(spec(arm), { status: { migrationState: {} } }), undefined);
  assert.ok(plan(spec(arm), { status: { migrationState: { completed: true } } }));
});

test("every other edit of a running machine needs a restart, and says why", () => {
  const cases: [RegExp, any][] = [
    [/sockets .* higher than what's available/, spec({}, { cpu: { sockets: 3, cores: 1 } })],
    [/Reduction of CPU socket count/, spec({}, { cpu: { sockets: 1, cores: 1 } })],
    [/Memory-hotplug is not available/, spec({}, { memory: { guest: "2Gi" } })],
    [/non-live-updatable/, spec({}, { cpu: { sockets: 2, cores: 4 } })],
    [/non-live-updatable/, spec({ terminationGracePeriodSeconds: 3 })],
    [/non-live-updatable/, spec({}, {}, { instancetype: { name: "large" } })],
    [/non-live-updatable/, spec({ ...arm, volumes: [{ name: "seed" }] })],
  ];
  for (const [why, now] of cases) assert.match((plan(now) as any)?.restart, why);
});

test("a volume that was plugged in is no reason for a restart", () => {
  const disks = [{ name: "more", disk: {} }];
  const volumes = [{ name: "more", persistentVolumeClaim: { claimName: "c", hotpluggable: true } }];
  const now = spec({ nodeSelector: { arch: "x86" }, volumes }, { devices: { disks } });
  assert.equal(plan(now), undefined);
});

test("where a cluster stages edits, they all wait for a restart", () => {
  assert.match((plan(spec(arm), { rollout: "Stage" }) as any).restart, /non-live-updatable/);
});
