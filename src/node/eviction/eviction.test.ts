import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { hasDiskLimits, overLimit } from "./local-limits.ts";
import { PressureWatch } from "./manager.ts";
import { bytesText, evictionOf, ranked } from "./plan.ts";
import type { PodUse } from "./plan.ts";
import type { Readings } from "./signals.ts";
import { defaultThresholds, metThresholds, parseThresholds, quantityOf } from "./thresholds.ts";

const mi = 2 ** 20;

const readings = (changes: Partial<Readings> = {}): Readings => {
  const half = { available: 500, capacity: 1000 };
  return {
    "memory.available": { available: 4096 * mi, capacity: 8192 * mi },
    "nodefs.available": half,
    "nodefs.inodesFree": half,
    "imagefs.available": half,
    "imagefs.inodesFree": half,
    "pid.available": half,
    ...changes,
  };
};

interface Sketch {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
  priority?: number;
  annotations?: Record<string, string>;
  volumes?: object[];
}

const podOf = (
  name: string,
  { requests, limits, priority, annotations, volumes }: Sketch = {},
) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: name, annotations } as any,
  spec: {
    containers: [
      {
        name: "main",
        image: "app",
        resources: { ...(requests && { requests }), ...(limits && { limits }) },
      },
    ],
    ...(priority !== undefined && { priority }),
    ...(volumes && { volumes }),
  },
});

const useOf = (name: string, memory: number, sketch: Sketch = {}): PodUse => ({
  pod: podOf(name, sketch),
  memory,
  disk: 0,
  inodes: 0,
  pids: 0,
  containers: [{ name: "main", memory, disk: 0 }],
});

const order = (uses: PodUse[]) =>
  ranked(uses, "memory.available").map((one) => one.pod.metadata.name);

test("thresholds are read as kubelet writes them, and what is none is refused", () => {
  const parsed = parseThresholds("memory.available<100Mi, nodefs.available<10%");
  assert.deepEqual(parsed, [
    { signal: "memory.available", text: "100Mi" },
    { signal: "nodefs.available", text: "10%" },
  ]);
  assert.equal(quantityOf(parsed[1]!, { available: 0, capacity: 2000 }), 200);
  assert.throws(() => parseThresholds("memory<1Gi"), /signals are memory.available/);
  assert.throws(() => parseThresholds("memory.available=1Gi"), /SIGNAL<QUANTITY/);
  assert.throws(() => parseThresholds("nodefs.available<101%"), /at most 100%/);
  assert.throws(() => parseThresholds("memory.available<much"), /not a quantity/);
});

test("a threshold is met below its amount; what has no end never runs short", () => {
  const defaults = parseThresholds(defaultThresholds);
  assert.deepEqual(metThresholds(defaults, readings()), []);
  const low = readings({
    "memory.available": { available: 99 * mi, capacity: 8192 * mi },
    "nodefs.inodesFree": { available: Infinity, capacity: Infinity },
    "imagefs.available": { available: 149, capacity: 1000 },
  });
  const signals = metThresholds(defaults, low).map(({ signal }) => signal);
  assert.deepEqual(signals, ["memory.available", "imagefs.available"]);
});

test("who uses more than it asked for goes first, then the less important, then the larger", () => {
  const within = useOf("within", 90 * mi, { requests: { memory: "100Mi" } });
  const small = useOf("small", 10 * mi);
  const large = useOf("large", 50 * mi);
  const important = useOf("important", 500 * mi, { priority: 10 });
  assert.deepEqual(order([within, small, important, large]), [
    "large",
    "small",
    "important",
    "within",
  ]);
});

test("pods of the system and pods from files are never chosen", () => {
  const system = useOf("system", 500 * mi, { priority: 2_000_000_000 });
  const file = useOf("file", 500 * mi, { annotations: { "kubernetes.io/config.source": "file" } });
  assert.deepEqual(order([system, file, useOf("other", 1)]), ["other"]);
});

test("an evicted pod is told what ran low, and who took it", () => {
  const [threshold] = parseThresholds("memory.available<100Mi");
  const reading = { available: 80 * mi, capacity: 8192 * mi };
  const ending = evictionOf(useOf("web", 300 * mi), threshold!, reading);
  assert.deepEqual(ending, {
    reason: "Evicted",
    message:
      "The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. " +
      "Container main was using 300Mi, request is 0, has larger consumption of memory. ",
    graceMs: 0,
    disrupted: "TerminationByKubelet",
  });
});

test("bytes keep every digit", () => {
  const rows: [number, string][] = [
    [0, "0"],
    [1023, "1023"],
    [1024, "1Ki"],
    [1536, "1536"],
    [3 * 2 ** 30, "3Gi"],
  ];
  for (const [bytes, text] of rows) assert.equal(bytesText(bytes), text);
});

test("a shortage that ends counts for a while still", async () => {
  const clock = new FakeClock();
  let left = 10;
  const watch = new PressureWatch(clock, {
    thresholds: parseThresholds("pid.available<50"),
    transitionMs: 60_000,
    read: async () => readings({ "pid.available": { available: left, capacity: 1000 } }),
  });
  assert.equal(watch.pressure().pids, false);
  await watch.look();
  assert.deepEqual(watch.pressure(), { memory: false, disk: false, pids: true });
  left = 500;
  await clock.advance(59_000);
  await watch.look();
  assert.equal(watch.pressure().pids, true);
  await clock.advance(2000);
  assert.equal(watch.pressure().pids, false);
});

test("what is written is held against the limits of emptyDirs, containers and pods", () => {
  const volumes = [{ name: "scratch", emptyDir: { sizeLimit: "1Mi" } }];
  const limits = { "ephemeral-storage": "2Mi" };
  const use = (volume: number, container: number) => ({
    volumes: new Map([["scratch", volume]]),
    containers: new Map([["main", container]]),
  });
  const message = (pod: ReturnType<typeof podOf>, ...sizes: [number, number]) =>
    overLimit(pod, use(...sizes))?.message;
  assert.equal(message(podOf("a", { volumes }), mi, 9 * mi), undefined);
  assert.match(message(podOf("a", { volumes }), mi + 1, 0)!, /EmptyDir volume "scratch" .* "1Mi"/);
  assert.match(message(podOf("a", { limits }), 0, 3 * mi)!, /Container main exceeded .* "2Mi"/);
  assert.match(message(podOf("a", { limits }), 2 * mi, mi)!, /total limit of containers 2097152/);
  assert.equal(hasDiskLimits(podOf("a")), false);
  assert.equal(hasDiskLimits(podOf("a", { volumes })), true);
});
