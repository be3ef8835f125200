import assert from "node:assert/strict";
import { test } from "node:test";
import { isMountedOverItself } from "./kubelet-directory.ts";

test("only what a node mounted over itself is taken back, never a disk of somebody's", () => {
  const folder = "/var/lib/kubelet";
  const line = (root: string, target: string) =>
    `36 25 254:0 ${root} ${target} rw,relatime shared:1 - ext4 /dev/vda rw`;
  const rows: [string, boolean][] = [
    [line("/var/lib/kubelet", folder), true],
    [line("/lib/kubelet", folder), true],
    [line("/", folder), false],
    [line("/@kubelet", folder), false],
    [line("/srv/kubelet-data", folder), false],
    [line("/var/lib/kubelet", "/elsewhere"), false],
    [[line("/", folder), line("/var/lib/kubelet", folder)].join("\n"), true],
    ["", false],
  ];
  for (const [text, expected] of rows)
    assert.equal(isMountedOverItself(folder, text), expected, text);
});
