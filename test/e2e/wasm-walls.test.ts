// What stands around a runner, tried from within by native code in the runner's place: as if a module had broken out of
// V8. Everything that the probe tries and that is not listed here as done must have failed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ProcessPodsAlone } from "../support/process-pods.ts";
import type { RunOptions } from "../support/process-pods.ts";
import { root } from "../support/site.ts";

let folder: string;
let alone: ProcessPodsAlone;
let volume: string;
let wanted: Record<string, string>;
const closes: (() => unknown)[] = [];

/** What a machine has that none of its pods is to reach. */
async function neighbours(): Promise<Record<string, string>> {
  const [secret, path, abstract] = ["secret", "socket"]
    .map((one) => join(folder, one))
    .concat(folder);
  writeFileSync(secret!, "the secret");
  const listening = async (...where: [object | string]) => {
    const server = createServer().listen(...where);
    await once(server, "listening");
    closes.push(() => server.close());
    return server.address();
  };
  const { port } = (await listening({ port: 0, host: "127.0.0.1" })) as AddressInfo;
  await listening(path!);
  await listening(`\0${abstract}`);
  const sleeper = spawn("sleep", ["600"], { stdio: "ignore" });
  closes.push(() => sleeper.kill());
  return {
    SECRET: secret!,
    SOCKET: path!,
    ABSTRACT: abstract!,
    PORT: String(port),
    PID: String(sleeper.pid),
  };
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-probe-"));
  const program = join(folder, "probe");
  await run("clang", ["-O1", "-o", program, join(root, "test/wasm/walls.c"), "-lpthread"]);
  volume = join(folder, "volume");
  mkdirSync(volume);
  chmodSync(volume, 0o777);
  wanted = await neighbours();
  alone = await ProcessPodsAlone.open(program);
});
after(async () => {
  await alone?.close();
  for (const close of closes) close();
  rmSync(folder, { recursive: true, force: true });
});

const start = async (attack: string, options: Partial<RunOptions> & { stay?: boolean }) =>
  (await alone.start({
    network: true,
    ...options,
    env: { ...wanted, ATTACK: attack, ...(options.stay && { STAY: "yes" }) },
  }))!;

/** Lets the probe try; resolves with what it said, by what it tried, and with how it ended. */
async function tried(attack: string, options: Partial<RunOptions> = {}) {
  const { podUid, log } = await start(attack, options);
  const container = await eventually(async () => {
    const [one] = alone.pods.pod(podUid)!.containers;
    return one!.state === "exited" && one;
  }, "the probe's end");
  const text = readFileSync(log, "utf8");
  const all = [...text.matchAll(/ stdout F (.*?): (.*)$/gm)].map((match) => [match[1]!, match[2]!]);
  return { container: container!, all, said: new Map(all as [string, string][]) };
}

const done = (all: string[][]) => all.filter(([, what]) => what === "DONE").map(([name]) => name);
const ofKind = (all: string[][], kind: string) =>
  all.filter(([name]) => name!.startsWith(kind)).map(([name, what]) => `${name} ${what}`);

test("whoever breaks out of V8 finds nothing of the machine or of others, and no way on", async () => {
  const { all, said, container } = await tried("all", { volume });
  assert.deepEqual(done(all), ["make /.kerb/shared/volumes/data/new", "socket tcp", "end"]);
  assert.deepEqual(
    [container.exitCode, said.get("abis"), said.get("ids")],
    [7, "ALIVE", "65534 65534 0"],
  );
  assert.deepEqual(ofKind(all, "environment"), ["environment PWD=/"]);
  const open = ofKind(all, "descriptor ").toSorted();
  assert.deepEqual(open.slice(0, 2), ["descriptor 0 /dev/null", "descriptor 1 /dev/null"]);
  assert.match(open.slice(2).join(), /^descriptor 2 \S+\/said\/\w+,descriptor 3 \S+\/told\/\w+$/);
  const names = (path: string) => said.get(`list ${path}`)!.trim().split(" ").toSorted();
  assert.deepEqual(names("/"), [".kerb", "dev", "etc", "proc"]);
  assert.deepEqual(
    [names("/dev"), names("/etc")],
    [
      ["null", "urandom"],
      ["hosts", "resolv.conf"],
    ],
  );
  assert.deepEqual(said.get("list processes"), "1 2");
  assert.equal(said.get("kill machine"), "ESRCH");
  process.kill(Number(wanted["PID"]), 0);
});

test("who fills disks may start programs besides, and is held as well", async () => {
  const { all, said } = await tried("all", { volume, isOfDisks: true });
  const more = ["fork", "call fork", "call vfork"];
  const allowed = ["make /.kerb/shared/volumes/data/new", "socket tcp", ...more, "end"];
  assert.deepEqual(new Set(done(all)), new Set(allowed));
  assert.equal(said.get("new users"), "EPERM");
});

test("nothing that it is shown can give a privilege or be changed", async () => {
  const { all } = await tried("mounts", { volume });
  const mounts = ofKind(all, "mount").map((line) => {
    const [, , , , , at, flags] = line.split(" ");
    return { at: at!, flags: flags!.split(",") };
  });
  assert.ok(mounts.length > 8);
  for (const { at, flags } of mounts) {
    assert.ok(flags.includes("nosuid"), at);
    const isOwn = /^\/(proc|\.kerb\/shared(\/volumes\/(data|dev\/termination-log))?)$/.test(at);
    const isDevice = at.startsWith("/dev/");
    assert.ok(isDevice || flags.includes("nodev"), at);
    assert.ok(isOwn || isDevice || /^\/proc\/\w+$/.test(at) || flags.includes("ro"), at);
  }
});

test("one whose module asked for no network has no sockets at all", async () => {
  const { all } = await tried("all", { network: false });
  const sockets = all.filter(([name]) => /^(socket|connect)/.test(name!));
  assert.ok(sockets.length > 10);
  for (const [name, what] of sockets) assert.equal(what, "EPERM", name!);
});

test("a bomb of threads ends at the pod's limit, and all of the memory at the container's", async () => {
  const { said } = await tried("threads");
  const count = Number(said.get("threads"));
  assert.ok(count > 1000 && count < 4096, `${count} threads`);
  const { container } = await tried("memory", { memoryBytes: 16 * 2 ** 20 });
  assert.deepEqual([container.exitCode, container.reason], [137, "OOMKilled"]);
});

test("what it writes where no module can, it cannot fill the disk or Kerb's memory with", async () => {
  const { id } = await start("flood", { stay: true });
  const file = alone.places.said(id);
  await eventually(async () => statSync(file).size >= 2 ** 26, "all of it is said");
  await alone.clock.advance(10_000);
  assert.equal(statSync(file).size, 16_384);
  await alone.pods.stopContainer(id, 0);
});

test("a pod that insists on being root is not run so, since root owns what is shown to it", async () => {
  assert.equal(await start("all", { securityContext: { runAsUser: 0 } }), undefined);
});
