import assert from "node:assert/strict";
import { test } from "node:test";
import { configurableOptions, wingOptions } from "../../lib/configurable-options.ts";
import { ownOptions, parseOptions } from "./parse.ts";

const examples: Record<string, string> = {
  "eviction-hard": "memory.available<200Mi",
  "image-gc-high-threshold": "70",
  "image-gc-low-threshold": "60",
  "allowed-unsafe-sysctls": "kernel.msg*",
  "registry-mirror": "docker.io=http://127.0.0.1:5000",
  "insecure-registry": "127.0.0.1:5000",
  ...Object.fromEntries(wingOptions.map((wing) => [wing, "true"])),
};

for (const option of configurableOptions) {
  test(`${option} is an option of the command line, which wins where it has it`, () => {
    const parsed = parseOptions({ [option]: [examples[option] ?? "30s"] });
    assert.deepEqual(ownOptions({ dataDir: "/x", ...parsed }), [option]);
  });
}

for (const [option, value, why] of [
  ["image-gc-high-threshold", "very", /--image-gc-high-threshold.*whole number of percent/],
  ["eviction-hard", "memory.available", /memory\.available/],
  ["registry-mirror", "docker.io", /--registry-mirror.*HOST=http/],
] as const) {
  test(`${option} ${value} is refused by name`, () =>
    assert.throws(() => parseOptions({ [option]: [value] }), why));
}
