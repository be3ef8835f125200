import assert from "node:assert/strict";
import { test } from "node:test";
import { containerOf } from "./pod-target.ts";
import { logOptions } from "./logs.ts";
import { contextFor, streamPlugs, twoContainers } from "./test-node.ts";

test("the options of a log reach the node", async () => {
  const url = "/web/log?follow=true&tailLines=3&timestamps=true&sinceSeconds=5";
  let asked: unknown;
  const logs = async (_pod: object, container: string, options: object) => {
    asked = { container, ...options };
    return (async function* () {
      yield Buffer.from("line\n");
    })();
  };
  const context = contextFor(url, { logs }, new AbortController().signal);
  const { stream } = await streamPlugs().subresources.get("pods/log")!(context);
  for await (const chunk of stream!) assert.equal(Buffer.from(chunk).toString(), "line\n");
  assert.deepEqual(asked, {
    container: "main",
    follow: true,
    previous: false,
    timestamps: true,
    sinceSeconds: 5,
    tailLines: 3,
  });
});

test("options that contradict or make no sense are refused by name", () => {
  const table: [string, RegExp][] = [
    ["tailLines=-1", /tailLines: Invalid value: -1: must be greater than or equal to 0/],
    ["limitBytes=0", /limitBytes: Invalid value: 0: must be greater than or equal to 1/],
    ["sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", /at most one of `sinceTime` or/],
    ["stream=Both", /stream: Unsupported value: "Both": supported values: "All", "Stdout"/],
    ["tailLines=x", /unable to parse query parameter tailLines/],
  ];
  for (const [query, message] of table) {
    assert.throws(() => logOptions(new URLSearchParams(query), "web"), { message });
  }
});

test("the container must be told unless there is one only", () => {
  const pod = twoContainers as any;
  assert.throws(() => containerOf(pod, null), {
    message:
      "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [i]",
  });
  assert.throws(() => containerOf(pod, "x"), { message: "container x is not valid for pod two" });
  assert.equal(containerOf(pod, "i"), "i");
});
