import assert from "node:assert/strict";
import { test } from "node:test";
import { fullReference } from "./images.ts";

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
