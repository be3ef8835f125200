import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { QemuProcesses } from "./qemu-times.ts";

const uid = "aaaa-bbbb";
const stat = (user: number, system: number) =>
  `70 (qemu) x) S ${"0 ".repeat(10)}${user} ${system} 0 0`;

test("a guest's processors have the times of QEMU's threads, by their numbers inside", async () => {
  const proc = mkdtempSync(join(tmpdir(), "kerb-proc-"));
  const write = (path: string, text: string) => {
    const file = join(proc, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
  };
  try {
    write("self/comm", "node\n");
    write("60/comm", "qemu-system-x86\n");
    write("60/cgroup", "0::/kubepods/podcccc/x\n");
    write("70/comm", "qemu-system-x86\n");
    write("70/cgroup", "0::/kubepods.slice/kubepods-podaaaa_bbbb.slice/cri-x.scope\n");
    write("70/stat", stat(250, 50));
    write("70/task/70/status", "Name:\tq\nNSpid:\t70\t1\n");
    write("70/task/71/status", "Name:\tq\nNSpid:\t71\t9\n");
    write("70/task/71/schedstat", "1500000000 500000000 12\n");
    const processes = new QemuProcesses(proc);
    const threads = [
      { "cpu-index": 0, "thread-id": 9 },
      { "cpu-index": 1, "thread-id": 10 },
    ];
    const times = await processes.times(uid, threads);
    assert.deepEqual(times, {
      userSeconds: 2.5,
      systemSeconds: 0.5,
      vcpus: [{ id: 0, runSeconds: 1.5, delaySeconds: 0.5 }],
    });
    assert.equal(await processes.times("dddd", threads), undefined);
    rmSync(join(proc, "70"), { recursive: true });
    assert.equal(await processes.times(uid, threads), undefined, "it has ended");
  } finally {
    rmSync(proc, { recursive: true });
  }
});
