import assert from "node:assert/strict";
import { test } from "node:test";
import { mountArguments, mountPoints } from "./mounts.ts";

test("layers side by side are named from their folder, so that many fit the kernel's page", () => {
  const layers = ["/data/snapshots/9/fs", "/data/snapshots/8/fs"];
  const options = ["index=off", `lowerdir=${layers.join(":")}`];
  assert.deepEqual(mountArguments("/pod/disk", { type: "overlay", source: "overlay", options }), {
    args: ["-t", "overlay", "-o", "index=off,lowerdir=9/fs:8/fs,ro", "overlay", "/pod/disk"],
    cwd: "/data/snapshots",
  });
});

test("a single layer is bound as it is", () => {
  const source = "/data/snapshots/1/fs";
  assert.deepEqual(
    mountArguments("/pod/disk", { type: "bind", source, options: ["ro", "rbind"] }).args,
    ["-t", "bind", "-o", "ro,rbind", source, "/pod/disk"],
  );
});

test("mount points with spaces are read", () => {
  assert.deepEqual(mountPoints("tmpfs /a\\040b tmpfs rw 0 0\n"), ["/a b"]);
});
