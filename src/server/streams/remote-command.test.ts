import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import type { NodeConnection } from "../../lib/node-connection.ts";
import { notFound } from "../../lib/status-error.ts";
import { serveStreams } from "./test-node.ts";

type Exec = NodeConnection["exec"];

const words = async (chunks: AsyncIterable<Uint8Array> | undefined) => {
  let text = "";
  for await (const chunk of chunks ?? []) text += Buffer.from(chunk).toString();
  return text;
};

/** Connects, sends `input`, and gathers what comes by channel until the server closes. */
async function run(exec: Exec, query: string, protocol: string, input: Uint8Array[] = []) {
  const { scope, port } = await serveStreams({ exec });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/web/exec?command=sh&${query}`, [protocol]);
  const output: Record<number, string> = {};
  socket.on("message", (data: Buffer, isBinary) => {
    const at = isBinary ? data[0]! : Number(data.toString()[0]);
    const encoding = isBinary ? "utf8" : "base64";
    const text = isBinary
      ? data.subarray(1).toString()
      : Buffer.from(data.subarray(1).toString(), encoding).toString();
    output[at] = (output[at] ?? "") + text;
  });
  await once(socket, "open");
  for (const message of input) socket.send(message);
  const [code] = await once(socket, "close");
  await scope.close();
  return { output, code, protocol: socket.protocol };
}

const message = (channel: number, text: string | Uint8Array = "") =>
  Buffer.concat([Buffer.from([channel]), Buffer.from(text as string)]);

const echo: Exec = async (pod, container, { command }, { stdin, stdout, stderr }) => {
  await stdout(Buffer.from(`${pod.name}/${container} ${command.join(" ")}: ${await words(stdin)}`));
  await stderr(Buffer.from("done"));
  return 0;
};

test("stdin ends by a close message, output comes on its channels, success is told", async () => {
  const query = "command=-c&stdin=true&stdout=true&stderr=true";
  const input = [message(0, "hel"), message(0, "lo"), message(255, Buffer.from([0]))];
  const { output, code, protocol } = await run(echo, query, "v5.channel.k8s.io", input);
  assert.equal(protocol, "v5.channel.k8s.io");
  assert.equal(output[1], "web/main sh -c: hello");
  assert.equal(output[2], "done");
  assert.deepEqual(JSON.parse(output[3]!), { metadata: {}, status: "Success" });
  assert.equal(code, 1000);
});

test("an exit code is a cause of the failure", async () => {
  for (const protocol of ["v4.channel.k8s.io", "v4.base64.channel.k8s.io"]) {
    const { output } = await run(async () => 7, "stdout=true", protocol);
    const status = JSON.parse(output[3]!);
    assert.equal(status.reason, "NonZeroExitCode");
    assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "7" }]);
  }
});

test("a command that cannot start is a failure with its reason", async () => {
  const { output } = await run(
    async () => {
      throw notFound({ group: "", resource: "containers" }, "main");
    },
    "stdout=true",
    "v5.channel.k8s.io",
  );
  assert.equal(JSON.parse(output[3]!).reason, "NotFound");
});

test("terminal sizes arrive, and a terminal has no stderr", async () => {
  const exec: Exec = async (_pod, _container, { tty }, { resize, stdout, stderr }) => {
    await stderr(Buffer.from("nowhere"));
    for await (const { width, height } of resize!) {
      await stdout(Buffer.from(`${tty} ${width}x${height}`));
      return 0;
    }
    return 1;
  };
  const { output } = await run(exec, "stdout=true&stderr=true&tty=true", "v5.channel.k8s.io", [
    message(4, '{"Width":80,'),
    message(4, '"Height":24}\n'),
  ]);
  assert.equal(output[1], "true 80x24");
  assert.equal(output[2], undefined);
});

test("a client that leaves aborts the command", async () => {
  let aborted!: () => void;
  const left = new Promise<void>((resolve) => (aborted = resolve));
  const exec: Exec = async (_pod, _container, _options, { signal, stdout }) => {
    await stdout(Buffer.from("started"));
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    aborted();
    return 0;
  };
  const { scope, port } = await serveStreams({ exec });
  const url = `ws://127.0.0.1:${port}/web/exec?command=sh&stdout=true`;
  const socket = new WebSocket(url, ["v5.channel.k8s.io"]);
  await once(socket, "message");
  socket.terminate();
  await left;
  await scope.close();
});

test("requests that cannot work are refused before the upgrade", async () => {
  const { scope, port } = await serveStreams({});
  const table: [string, string][] = [
    ["/web/exec?command=sh", "v5.channel.k8s.io"],
    ["/web/exec?stdout=true", "v5.channel.k8s.io"],
    ["/two/exec?command=sh&stdout=true", "v5.channel.k8s.io"],
    ["/web/exec?command=sh&stdout=true", "chat"],
  ];
  for (const [path, protocol] of table) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [protocol]);
    const [error] = await once(socket, "error");
    assert.match(String(error), /Unexpected server response: 400/);
  }
  await scope.close();
});
