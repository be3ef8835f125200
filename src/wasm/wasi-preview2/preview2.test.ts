import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { checkComponent } from "../check-component.ts";
import { Fields } from "./http-fields.ts";
import { preview2 } from "./host.ts";
import { preview2Interfaces } from "./interfaces.ts";
import { waitFor } from "./poll.ts";
import type { Pollable } from "./poll.ts";

let folder: string;
let host: ReturnType<typeof preview2>;
const exits: number[] = [];

/** Says back what it is sent, over HTTP, or over TCP when it does not speak that. */
const echo = `
const http = require("node:http"), net = require("node:net");
const web = http.createServer((q, r) => {
  let text = ""; q.on("data", (d) => text += d);
  q.on("end", () => { r.writeHead(q.url === "/gone" ? 410 : 200, { "x-method": q.method }); r.end("echo " + text); });
}).listen(0, "127.0.0.1", () => {
  const raw = net.createServer((s) => s.pipe(s)).listen(0, "127.0.0.1", () =>
    console.log(web.address().port + " " + raw.address().port));
});`;
let server: ReturnType<typeof spawn>;
let ports: number[];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-preview2-"));
  for (const name of ["volume", "outside"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "outside/secret"), "secret");
  symlinkSync(join(folder, "outside"), join(folder, "volume/away"));
  symlinkSync("../outside", join(folder, "volume/up"));
  host = preview2({
    args: ["app", "-v"],
    env: { A: "b" },
    preopens: [
      { guest: "/data", host: join(folder, "volume"), readOnly: false },
      { guest: "/kept", host: join(folder, "volume"), readOnly: true },
    ],
    now: () => 1_500_000_000_123_456_789n,
    monotonic: () => process.hrtime.bigint(),
    random: (into) => void into.fill(7),
    exit: ((code: number) => exits.push(code)) as unknown as (code: number) => never,
  });
  server = spawn(process.execPath, ["-e", echo], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await once(server.stdout!, "data");
  ports = String(said).trim().split(" ").map(Number);
});
after(() => {
  server.kill();
  rmSync(folder, { recursive: true });
});

const directories = () => (host["wasi:filesystem/preopens"] as any).getDirectories();
const follow = { symlinkFollow: true };

/** Waits as a guest does before a call that blocks. */
const until = (...all: { subscribe(): Pollable }[]) =>
  waitFor(all.map((one) => one.subscribe())) ?? Promise.resolve();

/** What a call throws is a value of its error type. */
function refusal(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return assert.fail("it was not refused");
}

test("what is known by name is what the host has", () => {
  assert.deepEqual(new Set(Object.keys(host)), preview2Interfaces);
});

test("a component that imports something else, or exports nothing to run, is refused by name", () => {
  const run = ["wasi:cli/run"];
  assert.deepEqual(checkComponent({ imports: ["wasi:io/streams"], exports: run }), {
    network: false,
  });
  const web = checkComponent({ imports: [], exports: ["wasi:http/incoming-handler"] });
  assert.deepEqual(web, { network: true });
  assert.throws(
    () => checkComponent({ imports: ["wasi:keyvalue/store"], exports: run }),
    /keyvalue/,
  );
  assert.throws(() => checkComponent({ imports: [], exports: ["my:own/api"] }), /is a library/);
});

test("a file is written, read and listed, through streams and by offset", () => {
  const [[data]] = directories();
  const file = data.openAt(follow, "file", { create: true }, { read: true, write: true });
  const out = file.writeViaStream(0n);
  out.blockingWriteAndFlush(Buffer.from("hello"));
  file.appendViaStream().write(Buffer.from(" world"));
  assert.equal(Buffer.from(file.readViaStream(6n).blockingRead(100n)).toString(), "world");
  assert.deepEqual(file.read(5n, 0n), [new Uint8Array(Buffer.from("hello")), false]);
  assert.equal(file.stat().size, 11n);
  const stream = data.readDirectory();
  const names = new Set<string>();
  for (let one = stream.readDirectoryEntry(); one; one = stream.readDirectoryEntry()) {
    names.add(`${one.name} ${one.type}`);
  }
  assert.ok(names.has("file regular-file") && names.has("away symbolic-link"));
  const end = file.readViaStream(11n);
  assert.deepEqual(
    refusal(() => end.blockingRead(1n)),
    { tag: "closed" },
  );
});

test("no call leads out of what was given, and none writes to what is read only", () => {
  const [[data], [kept]] = directories();
  for (const path of ["away/secret", "up/secret", "../outside/secret", "/etc/passwd"]) {
    const attempts = [
      () => data.openAt(follow, path, {}, { read: true }),
      () => data.openAt(follow, path, { create: true }, { write: true }),
      () => data.statAt(follow, path),
      () => data.unlinkFileAt(path),
      () => data.renameAt(path, data, "taken"),
      () => data.linkAt({}, path, data, "taken"),
      () => data.createDirectoryAt(`${path}-new`),
      () => data.setTimesAt(follow, path, { tag: "now" }, { tag: "now" }),
    ];
    for (const attempt of attempts) assert.equal(refusal(attempt), "not-permitted", path);
  }
  const writes = [
    () => kept.openAt(follow, "new", { create: true }, { write: true }),
    () => kept.createDirectoryAt("new"),
    () => kept.unlinkFileAt("file"),
    () => kept.linkAt({}, "file", data, "second"),
    () => kept.setTimesAt({}, "away", { tag: "now" }, { tag: "now" }),
  ];
  for (const write of writes) assert.equal(refusal(write), "read-only");
  assert.deepEqual(readdirSync(join(folder, "outside")), ["secret"]);
});

test("clocks, randomness, arguments and the end are the world's", () => {
  const [cli, wall] = [host["wasi:cli/environment"] as any, host["wasi:clocks/wall-clock"] as any];
  assert.deepEqual([cli.getArguments(), cli.getEnvironment()], [["app", "-v"], [["A", "b"]]]);
  assert.deepEqual(wall.now(), { seconds: 1_500_000_000n, nanoseconds: 123_456_789 });
  const random = host["wasi:random/random"] as any;
  assert.deepEqual(random.getRandomBytes(2n), Uint8Array.of(7, 7));
  (host["wasi:cli/exit"] as any).exit({ tag: "err" });
  assert.deepEqual(exits, [1]);
});

test("a poll waits for the first that is ready", async () => {
  const clock = host["wasi:clocks/monotonic-clock"] as any;
  const [soon, late] = [clock.subscribeDuration(1_000_000n), clock.subscribeDuration(10n ** 12n)];
  assert.equal(soon.ready(), false);
  await waitFor([late, soon]);
  assert.deepEqual([...(host["wasi:io/poll"] as any).poll([late, soon])], [1]);
  assert.ok(soon.ready() && !late.ready());
});

test("fields keep their order, and refuse what belongs to the connection or is malformed", () => {
  const fields = Fields.fromList([["a", Buffer.from("1")]]);
  fields.append("A", Buffer.from("2"));
  assert.deepEqual(fields.get("a").map(String), ["49", "50"]);
  assert.deepEqual(
    refusal(() => fields.append("b c", Buffer.from(""))),
    { tag: "invalid-syntax" },
  );
  const injection = () => fields.append("b", Buffer.from("x\r\ny: z"));
  assert.deepEqual(refusal(injection), { tag: "invalid-syntax" });
  assert.deepEqual(
    refusal(() => fields.set("Connection", [])),
    { tag: "forbidden" },
  );
  const fixed = Fields.received([["a", "1"]]);
  assert.deepEqual(
    refusal(() => fixed.delete("a")),
    { tag: "immutable" },
  );
  fixed.clone().delete("a");
});

/** Asks over wasi:http; resolves with the future's value. */
async function ask(port: number, path: string, body?: string) {
  const { OutgoingRequest, OutgoingBody } = host["wasi:http/types"] as any;
  const request = new OutgoingRequest(new Fields());
  request.setScheme({ tag: "HTTP" });
  request.setAuthority(`127.0.0.1:${port}`);
  request.setPathWithQuery(path);
  const own = body === undefined ? undefined : request.body();
  if (own) request.setMethod({ tag: "post" });
  const future = (host["wasi:http/outgoing-handler"] as any).handle(request, undefined);
  if (own) {
    own.write().blockingWriteAndFlush(Buffer.from(body!));
    OutgoingBody.finish(own, undefined);
  }
  await until(future);
  return future.get().val;
}

/** All of a stream, to its end. */
async function all(stream: any): Promise<string> {
  let text = "";
  for (;;) {
    await until(stream);
    try {
      text += Buffer.from(stream.read(100n)).toString();
    } catch (error) {
      assert.deepEqual(error, { tag: "closed" });
      return text;
    }
  }
}

test("requests go out and their answers come back", async () => {
  const { val: answer } = await ask(ports[0]!, "/x", "ping");
  assert.equal(answer.status(), 200);
  assert.equal(Buffer.from(answer.headers().get("X-Method")[0]).toString(), "POST");
  assert.equal(await all(answer.consume().stream()), "echo ping");
  const gone = (await ask(ports[0]!, "/gone")).val;
  assert.equal(gone.status(), 410);
  gone[Symbol.dispose]();
  assert.deepEqual(await ask(1, "/"), { tag: "err", val: { tag: "connection-refused" } });
});

test("a body that nobody takes yet is held up to a limit", () => {
  const { OutgoingRequest } = host["wasi:http/types"] as any;
  const stream = new OutgoingRequest(new Fields()).body().write();
  const room = Number(stream.checkWrite());
  stream.write(new Uint8Array(room));
  assert.equal(stream.checkWrite(), 0n);
  assert.equal(
    (refusal(() => stream.write(new Uint8Array(1))) as any).tag,
    "last-operation-failed",
  );
});

test("datagrams come and go, from the one that is spoken to and no other", async () => {
  const { createUdpSocket } = host["wasi:sockets/udp-create-socket"] as any;
  const [server, client, stranger] = ["ipv4", "ipv4", "ipv4"].map((one) => createUdpSocket(one));
  const local = { tag: "ipv4", val: { port: 0, address: [127, 0, 0, 1] } };
  assert.equal(
    refusal(() => client.stream(undefined)),
    "invalid-state",
  );
  for (const one of [server, client, stranger]) {
    one.startBind({}, local);
    await until(one);
    one.finishBind();
  }
  const [arriving, answering] = server.stream(undefined);
  const [back, forth] = client.stream(server.localAddress());
  const [, noise] = stranger.stream(undefined);
  assert.equal(forth.send([{ data: Buffer.from("ping") }]), 1n);
  await until(arriving);
  const [ping] = arriving.receive(10n);
  assert.deepEqual(ping.remoteAddress, client.localAddress());
  noise.send([{ data: Buffer.from("noise"), remoteAddress: client.localAddress() }]);
  answering.send([{ data: Buffer.from("pong"), remoteAddress: ping.remoteAddress }]);
  await until(back);
  assert.deepEqual(
    back.receive(10n).map(({ data }: any) => Buffer.from(data).toString()),
    ["pong"],
  );
  const elsewhere = [{ data: Buffer.from("x"), remoteAddress: stranger.localAddress() }];
  assert.equal(
    refusal(() => forth.send(elsewhere)),
    "invalid-argument",
  );
  assert.equal(
    refusal(() => answering.send([{ data: new Uint8Array(70_000), remoteAddress: local }])),
    "invalid-argument",
  );
  for (const one of [server, client, stranger]) one[Symbol.dispose]();
});

test("TCP connections carry bytes both ways, and names are looked up", async () => {
  const { createTcpSocket } = host["wasi:sockets/tcp-create-socket"] as any;
  const network = (host["wasi:sockets/instance-network"] as any).instanceNetwork();
  const socket = createTcpSocket("ipv4");
  const remote = { tag: "ipv4", val: { port: ports[1]!, address: [127, 0, 0, 1] } };
  socket.startConnect(network, remote);
  await until(socket);
  const [input, output] = socket.finishConnect();
  assert.deepEqual(socket.remoteAddress(), remote);
  output.blockingWriteAndFlush(Buffer.from("over tcp"));
  await until(input);
  assert.equal(Buffer.from(input.blockingRead(4n)).toString(), "over");
  assert.equal(Buffer.from(input.blockingRead(100n)).toString(), " tcp");
  socket.shutdown("send");
  assert.equal(await all(input), "");
  socket[Symbol.dispose]();

  const lookup = (host["wasi:sockets/ip-name-lookup"] as any).resolveAddresses(
    network,
    "localhost",
  );
  await until(lookup);
  assert.ok(["ipv4", "ipv6"].includes(lookup.resolveNextAddress().tag));
});

test("a TCP listener accepts what comes", async () => {
  const { createTcpSocket } = host["wasi:sockets/tcp-create-socket"] as any;
  const local = { tag: "ipv4", val: { port: 0, address: [127, 0, 0, 1] } };
  const listener = createTcpSocket("ipv4");
  listener.startBind({}, local);
  listener.finishBind();
  listener.startListen();
  await until(listener);
  listener.finishListen();
  const client = createTcpSocket("ipv4");
  client.startConnect({}, listener.localAddress());
  await until(listener);
  const [accepted, input, output] = listener.accept();
  await until(client);
  const [back, forth] = client.finishConnect();
  forth.blockingWriteAndFlush(Buffer.from("in"));
  await until(input);
  assert.equal(Buffer.from(input.blockingRead(10n)).toString(), "in");
  output.blockingWriteAndFlush(Buffer.from("out"));
  await until(back);
  assert.equal(Buffer.from(back.blockingRead(10n)).toString(), "out");
  for (const one of [client, accepted, listener]) one[Symbol.dispose]();
});
