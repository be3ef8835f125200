import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { NodeConnection, Streams } from "../lib/node-connection.ts";
import { notFound, StatusError } from "../lib/status-error.ts";
import { RemoteNode } from "../server/tunnel/remote-node.ts";
import { dialTcp } from "../lib/dial-tcp.ts";
import { serveTunnel } from "./tunnel.ts";

const pod = { namespace: "default", name: "web", uid: "1" };

/** A node whose commands are made up: `cat` repeats its input, `exit N` ends so, `wait` until it is let go. */
function fakeNode() {
  const seen: unknown[] = [];
  const run = async (command: string[], { stdin, stdout, stderr, resize, signal }: Streams) => {
    const [name, ...rest] = command;
    if (name === "exit") return Number(rest[0]);
    if (name === "cat") for await (const chunk of stdin!) await stdout(chunk);
    if (name === "flood") for (let i = 0; i < 200; i++) await stdout(Buffer.alloc(10_000, i));
    if (name === "size") for await (const size of resize!) return size.width;
    if (name === "say") await stderr(Buffer.from(rest.join(" ")));
    if (name === "wait") {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      seen.push("let go");
    }
    return 0;
  };
  const node: NodeConnection = {
    async logs(_pod, container, { tailLines }) {
      if (container === "none") throw notFound({ group: "", resource: "pods" }, "web");
      return Readable.from(Array.from({ length: tailLines ?? 1 }, (_, i) => Buffer.from(`${i}\n`)));
    },
    exec: (_pod, _container, { command }, streams) => run(command, streams),
    attach: async (_pod, _container, _options, streams) => void (await run(["cat"], streams)),
    portForward: async (_pod, port) => dialTcp("127.0.0.1", port),
    dial: dialTcp,
    usage: async () => ({ cpuNanoseconds: 5, workingSetBytes: 7, containers: [] }),
    ask: async (part, question) => {
      if (part === "none") throw new StatusError("NotFound", "no such part");
      return { part, question };
    },
    open: async (_part, { port }: any) => dialTcp("127.0.0.1", port),
  };
  return { node, seen };
}

const { node, seen } = fakeNode();
let echo: Server;
let wire: Server;
let remote: RemoteNode;
let ends: Socket[] = [];

before(async () => {
  echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(
    0,
    "127.0.0.1",
  );
  wire = createServer((socket) => {
    ends.push(socket);
    serveTunnel(socket, node);
  }).listen(0, "127.0.0.1");
  await Promise.all([once(echo, "listening"), once(wire, "listening")]);
  const socket = connect((wire.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const session = connectHttp2("http://node", { createConnection: () => socket });
  session.on("error", () => {});
  remote = new RemoteNode(session);
});
after(() => {
  for (const end of ends) end.destroy();
  wire.close();
  echo.close();
});

function streams(more: Partial<Streams> = {}) {
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  return {
    output: () => Buffer.concat(output).toString(),
    errors: () => Buffer.concat(errors).toString(),
    streams: {
      stdin: undefined,
      stdout: async (chunk) => void output.push(Buffer.from(chunk)),
      stderr: async (chunk) => void errors.push(Buffer.from(chunk)),
      resize: undefined,
      signal: new AbortController().signal,
      ...more,
    } satisfies Streams,
  };
}
const exec = (command: string[], with_: Streams) =>
  remote.exec(pod, "main", { command, tty: false }, with_);

test("a command's exit code, output and input pass through", async () => {
  assert.equal(await exec(["exit", "42"], streams().streams), 42);
  const said = streams();
  assert.equal(await exec(["say", "no"], said.streams), 0);
  assert.equal(said.errors(), "no");
  const repeated = streams({ stdin: Readable.from([Buffer.from("one "), Buffer.from("two")]) });
  assert.equal(await exec(["cat"], repeated.streams), 0);
  assert.equal(repeated.output(), "one two");
  const sizes = (async function* () {
    yield { width: 80, height: 24 };
  })();
  assert.equal(await exec(["size"], streams({ resize: sizes }).streams), 80);
});

test("more than fits on the way waits for its reader, and other calls do not wait for it", async () => {
  let bytes = 0;
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const slow = streams({
    stdout: async (chunk) => {
      bytes += chunk.length;
      await held;
    },
  });
  const flooding = exec(["flood"], slow.streams);
  assert.equal(await exec(["exit", "3"], streams().streams), 3);
  letGo();
  assert.equal(await flooding, 0);
  assert.equal(bytes, 2_000_000);
});

test("a caller who goes away ends the command", async () => {
  const controller = new AbortController();
  const waiting = exec(["wait"], streams({ signal: controller.signal }).streams);
  await exec(["exit", "0"], streams().streams);
  controller.abort();
  await assert.rejects(waiting, StatusError);
  while (seen.length === 0) await setImmediate();
  assert.deepEqual(seen, ["let go"]);
});

test("logs come as they are, and a refusal is the node's own", async () => {
  const { signal } = new AbortController();
  const chunks: Buffer[] = [];
  for await (const chunk of await remote.logs(pod, "main", { tailLines: 3 }, signal)) {
    chunks.push(Buffer.from(chunk));
  }
  assert.equal(Buffer.concat(chunks).toString(), "0\n1\n2\n");
  await assert.rejects(remote.logs(pod, "none", {}, signal), (error: StatusError) => {
    return error.code === 404 && /pods "web" not found/.test(error.message);
  });
});

test("bytes pass to a pod's port and to addresses that the node reaches", async () => {
  const { port } = echo.address() as AddressInfo;
  for (const open of [
    remote.portForward(pod, port),
    remote.dial("127.0.0.1", port),
    remote.open("vms", { port }),
  ]) {
    const stream = await open;
    stream.end("hello");
    let text = "";
    for await (const chunk of stream) text += chunk;
    assert.equal(text, "hello");
  }
  await assert.rejects(remote.dial("127.0.0.1", 1), /connection refused/);
});

test("a long command line passes, and usage is told", async () => {
  assert.equal(await exec(["say", "x".repeat(200_000)], streams().streams), 0);
  assert.deepEqual(await remote.usage(), {
    cpuNanoseconds: 5,
    workingSetBytes: 7,
    containers: [],
  });
});

test("a part of the node answers as if it were here", async () => {
  const answer = await remote.ask("vms", { podUid: "1" });
  assert.deepEqual(answer, { part: "vms", question: { podUid: "1" } });
  await assert.rejects(remote.ask("none", {}), { reason: "NotFound" });
});

test("a tunnel that breaks ends its calls with a reason", async () => {
  const waiting = exec(["wait"], streams().streams);
  await exec(["exit", "0"], streams().streams);
  for (const end of ends) end.destroy();
  await assert.rejects(waiting, /the connection to the node broke/);
  await assert.rejects(exec(["exit", "0"], streams().streams), /the connection to the node broke/);
});
