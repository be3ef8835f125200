import assert from "node:assert/strict";
import { test } from "node:test";
import { fullReference, namesBrought } from "./images.ts";

test("a short reference means Docker Hub's newest", () => {
  const rows = [
    ["busybox", "docker.io/library/busybox:latest"],
    ["busybox:1", "docker.io/library/busybox:1"],
    ["someone/tool", "docker.io/someone/tool:latest"],
    ["ghcr.io/someone/tool:2", "ghcr.io/someone/tool:2"],
    ["localhost/tool", "localhost/tool:latest"],
    ["registry:5000/tool", "registry:5000/tool:latest"],
    ["quay.io/a/b@sha256:00", "quay.io/a/b@sha256:00"],
    ["docker.io/library/busybox:kerb", "docker.io/library/busybox:kerb"],
  ];
  for (const [short, full] of rows) assert.equal(fullReference(short!), full);
});

test("what an archive brought is read in the words of either containerd", () => {
  const names = ["docker.io/library/a:1", "kerb.internal/pause:1"];
  const one = names.map((name) => `unpacking ${name} (sha256:00)...done\n`).join("");
  assert.deepEqual(namesBrought(one), names);
  const saved = names.map((name) => `${name}          \tsaved\t\n`).join("");
  const shown = `${saved}application/vnd.oci.image.manifest.v1+json sha256:00\nImporting\telapsed: 0.4 s\n`;
  assert.deepEqual(namesBrought(`${shown}${shown}`), names);
  assert.deepEqual(namesBrought("Importing\telapsed: 0.4 s\n"), []);
});
