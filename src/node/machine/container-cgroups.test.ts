import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { containerCgroups } from "./container-cgroups.ts";

const path = `/kerb-test-own-${process.pid}/slot/one`;

/** What is said of a process that a shell started after it had written itself into all files. */
const startedIn = (entries: string[]) =>
  execFileSync(
    "sh",
    ["-c", 'for file in "$@"; do echo 0 >"$file"; done; cat /proc/self/cgroup', "sh", ...entries],
    { encoding: "utf8" },
  );

for (const mount of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
  const skip = process.getuid?.() !== 0 || !existsSync(mount);
  test(`whoever writes itself into a cgroup's files is in it (${mount})`, { skip }, async () => {
    const cgroups = await containerCgroups(mount);
    const entries = await cgroups.make(path);
    try {
      assert.ok(entries.length > 0);
      assert.equal(startedIn(entries).split(path).length - 1, entries.length);
    } finally {
      for (const one of [path, join(path, ".."), join(path, "../..")]) await cgroups.remove(one);
    }
    for (const entry of entries) assert.equal(existsSync(join(entry, "../../..")), false);
  });
}

test("on version 2 a container's cgroup is counted from its beginning", async () => {
  const mount = mkdtempSync("/tmp/kerb-cgroups-");
  try {
    writeFileSync(join(mount, "cgroup.controllers"), "cpu memory pids");
    mkdirSync(join(mount, "kerb7"));
    const cgroups = await containerCgroups(mount);
    assert.deepEqual(await cgroups.make("/kerb7/slot/one"), [
      join(mount, "kerb7/slot/one/cgroup.procs"),
    ]);
    for (const level of ["", "kerb7", "kerb7/slot"])
      assert.ok(existsSync(join(mount, level, "cgroup.subtree_control")), level);
    assert.equal(existsSync(join(mount, "kerb7/slot/one/cgroup.subtree_control")), false);
  } finally {
    rmSync(mount, { recursive: true });
  }
});
