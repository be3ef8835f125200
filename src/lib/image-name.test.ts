import assert from "node:assert/strict";
import { test } from "node:test";
import { isImageName } from "./image-name.ts";

const digest = `sha256:${"0a".repeat(32)}`;

test("images are named as registries and containerd take them", () => {
  for (const name of [
    "busybox",
    "busybox:1.36",
    "library/busybox",
    "localhost:5000/app:1",
    "[fd00::1]:5000/app",
    "Registry.example.com/team/app_v2/web--ui:V1.0_rc",
    `ghcr.io/a/b@${digest}`,
    `ghcr.io/a/b:1@${digest}`,
  ]) {
    assert.equal(isImageName(name), true, name);
  }
});

test("what no registry could serve is no image's name", () => {
  for (const name of [
    "",
    "BAD NAME",
    "Busybox",
    "app:",
    "app:-1",
    `app:${"a".repeat(129)}`,
    "app@sha256:12",
    "a//b",
    "../a",
    "a/../b",
    "app:1:2",
    "app\n",
    "a".repeat(256),
  ]) {
    assert.equal(isImageName(name), false, JSON.stringify(name));
  }
});
