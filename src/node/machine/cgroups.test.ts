import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { noCgroups, podLimits, settingsOf, systemCgroups } from "./cgroups.ts";
import { usageOf } from "./cgroup-usage.ts";
import type { Pod } from "../pods/pod.ts";

let root: string;
before(() => (root = mkdtempSync("/tmp/kerb-cgroups-")));
after(() => rmSync(root, { recursive: true }));

const container = (requests: object, limits: object = {}) => ({
  name: "c",
  image: "i",
  resources: { requests, limits },
});

const pod = (uid: string, ...containers: object[]) =>
  ({ metadata: { name: uid, namespace: "default", uid }, spec: { containers } }) as unknown as Pod;

const both = { cpu: "500m", memory: "64Mi" };
const guaranteed = pod("g", container(both, both));
const burstable = pod("b", container({ cpu: "250m" }));
const idle = pod("i", container({}));

test("a pod's limits are its containers' together, where all of them have one", () => {
  const mebibytes = 2 ** 20;
  const pidsMax = 4096;
  const rows: [Pod, object][] = [
    [guaranteed, { cpuShares: 512, cpuQuota: 50_000, memoryBytes: 64 * mebibytes, pidsMax }],
    [burstable, { cpuShares: 256, pidsMax }],
    [idle, { cpuShares: 2, pidsMax }],
    [
      pod("x", container(both, both), container({}, { memory: "36Mi" })),
      { cpuShares: 512, memoryBytes: 100 * mebibytes, pidsMax },
    ],
  ];
  for (const [of, limits] of rows) assert.deepEqual(podLimits(of), limits);
});

test("both versions of cgroups say the same in their own words", () => {
  const limits = { cpuShares: 1024, cpuQuota: 50_000, memoryBytes: 4096, pidsMax: 99 };
  assert.deepEqual(settingsOf("v1", limits), [
    ["cpu", "cpu.shares", "1024"],
    ["cpu", "cpu.cfs_period_us", "100000"],
    ["cpu", "cpu.cfs_quota_us", "50000"],
    ["memory", "memory.limit_in_bytes", "4096"],
    ["pids", "pids.max", "99"],
  ]);
  assert.deepEqual(settingsOf("v2", limits), [
    ["cpu", "cpu.weight", "39"],
    ["cpu", "cpu.max", "50000 100000"],
    ["memory", "memory.max", "4096"],
    ["pids", "pids.max", "99"],
  ]);
});

test("on version 1 each controller gets its part of the tree", async () => {
  const mount = join(root, "v1");
  for (const name of ["cpu", "memory", "pids"]) mkdirSync(join(mount, name), { recursive: true });
  const cgroups = await systemCgroups("kerb7", { mount, milliCpu: 4000 });
  const read = (path: string) => readFileSync(join(mount, path), "utf8");
  for (const one of [guaranteed, burstable, idle]) await cgroups.prepare(one);
  assert.equal(read("cpu/kerb7/cpu.shares"), "4096");
  assert.equal(read("cpu/kerb7/podg/cpu.shares"), "512");
  assert.equal(read("memory/kerb7/podg/memory.limit_in_bytes"), String(64 * 2 ** 20));
  assert.equal(read("cpu/kerb7/burstable/cpu.shares"), "256");
  assert.equal(read("cpu/kerb7/burstable/podb/cpu.shares"), "256");
  assert.equal(read("cpu/kerb7/besteffort/cpu.shares"), "2");
  assert.equal(read("pids/kerb7/podg/pids.max"), "4096");
  assert.equal(await cgroups.processes(guaranteed), 0);
  await cgroups.remove(burstable);
  assert.equal(read("cpu/kerb7/burstable/cpu.shares"), "2");
});

test("a pod whose cgroup was there before it has its limits there, and it goes with the pod", async () => {
  const mount = join(root, "v1-slot");
  for (const name of ["cpu", "memory", "pids"]) mkdirSync(join(mount, name), { recursive: true });
  const slots = new Map([["b", "/kerb7/burstable/slot-1"]]);
  const cgroups = await systemCgroups("kerb7", { mount, elsewhere: (uid) => slots.get(uid) });
  assert.equal(cgroups.pathOf(guaranteed), "/kerb7/podg");
  assert.equal(await cgroups.prepare(burstable), "/kerb7/burstable/slot-1");
  const slot = join(mount, "cpu/kerb7/burstable/slot-1");
  assert.equal(readFileSync(join(slot, "cpu.shares"), "utf8"), "256");
  assert.equal(existsSync(join(slot, "../podb")), false);
  // The kernel removes a cgroup's files with it; here they are files.
  for (const name of ["cpu/kerb7", "memory/kerb7", "pids/kerb7"])
    for (const file of ["cpu.shares", "pids.max"])
      rmSync(join(mount, name, "burstable/slot-1", file), { force: true });
  await cgroups.remove(burstable);
  assert.equal(existsSync(slot), false);
});

test("on version 2 each level hands its controllers on", async () => {
  const mount = join(root, "v2");
  mkdirSync(mount);
  writeFileSync(join(mount, "cgroup.controllers"), "cpu memory pids");
  const cgroups = await systemCgroups("kerb7", { mount });
  await cgroups.prepare(burstable);
  assert.deepEqual(readdirSync(join(mount, "kerb7/burstable/podb")).sort(), [
    "cgroup.subtree_control",
    "cpu.weight",
    "pids.max",
  ]);
  assert.equal(existsSync(join(mount, "kerb7/cgroup.subtree_control")), true);
});

test("on version 2 nothing is set before all levels have handed its controller on", async () => {
  const mount = join(root, "v2-late");
  mkdirSync(mount);
  writeFileSync(join(mount, "cgroup.controllers"), "cpu memory pids");
  // Whoever writes to it waits until somebody reads.
  const top = join(mount, "cgroup.subtree_control");
  execFileSync("mkfifo", [top]);
  const cgroups = await systemCgroups("kerb7", { mount });
  const preparing = cgroups.prepare(guaranteed);
  const pod = join(mount, "kerb7/podg");
  while (!existsSync(pod)) await setImmediate();
  for (let turns = 0; turns < 100; turns++) await setImmediate();
  const before = readdirSync(pod);
  const held = openSync(top, "r+");
  await preparing;
  closeSync(held);
  assert.deepEqual(before, []);
  assert.equal(readFileSync(join(pod, "memory.max"), "utf8"), String(64 * 2 ** 20));
});

const real = process.getuid?.() === 0 && existsSync("/sys/fs/cgroup/cpu/cpu.shares");

test("the kernel takes the limits, and the cgroups go again", { skip: !real }, async () => {
  const name = `kerb-test-cgroups-${process.pid}`;
  const cgroups = await systemCgroups(name);
  const tree = (controller: string) => `/sys/fs/cgroup/${controller}/${name}`;
  try {
    for (const one of [guaranteed, burstable]) await cgroups.prepare(one);
    const limit = readFileSync(`${tree("memory")}/podg/memory.limit_in_bytes`, "utf8");
    assert.equal(Number(limit), 64 * 2 ** 20);
    await cgroups.remove(guaranteed);
    assert.equal(existsSync(`${tree("memory")}/podg`), false);
    assert.equal(existsSync(`${tree("cpu")}/burstable/podb`), true);
    await cgroups.removeOthers((uid) => uid !== "b");
    assert.equal(existsSync(`${tree("cpu")}/burstable/podb`), false);
  } finally {
    await cgroups.removeRoot();
  }
  assert.equal(existsSync(tree("cpu")), false);
  await noCgroups.prepare(idle);
});

test("what a container's cgroup counts is read alike on v1 and v2", () => {
  const v1 = usageOf(
    "nr_periods 10\nnr_throttled 3\nthrottled_time 2000000000\n",
    "cache 1\ntotal_cache 5\ntotal_swap 0\ntotal_mapped_file 2\n",
    "7\n",
  );
  const v2 = usageOf(
    "usage_usec 9\nnr_periods 10\nnr_throttled 3\nthrottled_usec 2000000\n",
    "anon 9\nfile 5\nfile_mapped 2\n",
    "7\n",
  );
  const found = { periods: 10, throttledPeriods: 3, throttledSeconds: 2, cacheBytes: 5 };
  assert.deepEqual(v1, { ...found, swapBytes: 0, mappedBytes: 2, processes: 7 });
  assert.deepEqual(v2, { ...found, mappedBytes: 2, processes: 7 });
  assert.deepEqual(usageOf("", "", ""), {});
});
