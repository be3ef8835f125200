// Commands in a container that a containerd of this file's own tells of.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Mailbox } from "../lib/mailbox.ts";
import { execInContainer } from "./exec.ts";

type Answers = Record<string, (request: Record<string, string>) => unknown>;

const container = { spec: { value: Buffer.from('{"process":{"env":[]}}') } };

function containerd(t: TestContext, answers: Answers) {
  const directory = mkdtempSync(join(tmpdir(), "kerb-exec-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const service = (of: Answers) => ({
    call: async (method: string, request: Record<string, string>) =>
      (await of[method]?.(request)) ?? {},
    stream: () => assert.fail(),
    duplex: () => assert.fail(),
  });
  const services = {
    tasks: service(answers),
    containers: service({ Get: () => ({ container }) }),
    directory,
    newId: () => "one",
  };
  return { services };
}

function client(input: string) {
  const stdin = new Mailbox<Uint8Array>();
  stdin.put(Buffer.from(input));
  stdin.end();
  const heard: Uint8Array[] = [];
  const gone = new AbortController();
  const streams = {
    stdin,
    stdout: async (chunk: Uint8Array) => void heard.push(chunk),
    stderr: async () => {},
    resize: undefined,
    signal: gone.signal,
  };
  return { streams, gone, text: () => Buffer.concat(heard).toString() };
}

const command = { command: ["cat"], tty: false };

test("input reaches a command whose end is opened after it was said to have started", async (t) => {
  let pipes: Record<string, string> = {};
  const { services } = containerd(t, {
    Exec: (request) => void (pipes = request),
    Wait: async () => {
      // A process takes longer to open a pipe than this one to ask for the next call.
      const { stdin, stdout, stderr } = pipes;
      const shell = spawn("sh", ["-c", `exec cat <${stdin} >${stdout} 2>${stderr}`]);
      await once(shell, "exit");
      return { exit_status: shell.exitCode };
    },
  });
  const { streams, text } = client("abc");
  assert.equal(await execInContainer(services, "id", command, streams), 0);
  assert.equal(text(), "abc");
});

test("a command of a client that left before it started is ended", async (t) => {
  const killed = Promise.withResolvers<void>();
  const { streams, gone } = client("");
  const { services } = containerd(t, {
    Start: () => gone.abort(),
    Kill: () => killed.resolve(),
    Wait: async () => {
      await killed.promise;
      throw new Error("ended");
    },
  });
  await assert.rejects(execInContainer(services, "id", command, streams), /ended/);
});

test("a command that does not start leaves no open pipe", async (t) => {
  const open = () => readdirSync("/proc/self/fd").length;
  const { services } = containerd(t, {
    Start: () => {
      throw new Error("no such program");
    },
  });
  const attempt = () =>
    assert.rejects(execInContainer(services, "id", command, client("").streams), /no such program/);
  await attempt();
  const before = open();
  for (let i = 0; i < 5; i++) await attempt();
  assert.equal(open(), before);
});
