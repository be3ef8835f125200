import assert from "node:assert/strict";
import { test } from "node:test";
import type { SandboxConfig } from "../../node/runtime.ts";
import { plainSandbox } from "../../../test/support/plain-pod.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { saidIn } from "./follow-log.ts";
import { Looks } from "./looks.ts";
import { argumentsOf } from "./modules.ts";
import type { Modules } from "./modules.ts";
import { Pool } from "./pool.ts";
import { podsOf, reasonOf } from "./records.ts";
import type { ContainerRecord, SandboxRecord } from "./records.ts";
import { runnerCommand, statusOf } from "./runner-command.ts";
import { standApart, suits, userOf } from "./suits.ts";

const plain = plainSandbox("u", {
  logDirectory: "",
  cgroupParent: "",
  handler: "wasm",
  containers: [{ name: "main", image: "m" }],
});

test("a pod that asks for more than most is containerd's", () => {
  assert.ok(suits(plain));
  const withMain = (more: object) => ({ containers: [{ name: "main", image: "m", ...more }] });
  const limits = (name: string) => withMain({ resources: { limits: { [name]: "1" } } });
  assert.ok(suits({ ...plain, ...limits("memory") }));
  const mounts = (...paths: string[]) =>
    withMain({ volumeMounts: paths.map((mountPath) => ({ name: "v", mountPath })) });
  assert.ok(suits({ ...plain, ...mounts("/data", "/data2") }));
  const others: Partial<SandboxConfig>[] = [
    { handler: "" },
    { handler: "vm" },
    { containers: [] },
    { hostNetwork: true },
    { shareProcessNamespace: true },
    { sysctls: { a: "b" } },
    { userNamespace: { hostId: 1, length: 1 } },
    withMain({ stdin: true }),
    withMain({ tty: true }),
    withMain({ command: ["$(NAME)"] }),
    limits("example.com/device"),
    mounts("/data", "/data/sub"),
    mounts("/data", "/data/../data/sub"),
    mounts("/dev"),
  ];
  for (const other of others) assert.ok(!suits({ ...plain, ...other }), JSON.stringify(other));
});

test("places of volumes stand apart when none lies within another", () => {
  assert.ok(standApart(["/a", "/ab", "/b/c"]));
  assert.ok(!standApart(["/a", "/a/b"]));
  assert.ok(!standApart(["/a/", "/a"]));
});

test("a module is nobody's process unless the pod or the image says another user than root", () => {
  const nobody = { uid: 65_534, gid: 65_534, groups: [] };
  assert.deepEqual(userOf({}, { user: "" }), nobody);
  assert.deepEqual(userOf({}, { user: "0:5" }), nobody);
  assert.deepEqual(userOf({}, { user: "7:8" }), { uid: 7, gid: 8, groups: [] });
  assert.equal(userOf({}, { user: "www" }), undefined);
  const asked = { runAsUser: 5, runAsGroup: 6, supplementalGroups: [9] };
  assert.deepEqual(userOf(asked, { user: "www" }), { uid: 5, gid: 6, groups: [9] });
  assert.equal(userOf({ runAsUser: 0 }, { user: "7:8" }), undefined, "root is containerd's");
});

test("a command replaces the image's whole, arguments its own", () => {
  const image = { entrypoint: ["/m"], cmd: ["a"] };
  assert.deepEqual(argumentsOf({ image: "" }, image), ["/m", "a"]);
  assert.deepEqual(argumentsOf({ image: "", args: ["b"] }, image), ["/m", "b"]);
  assert.deepEqual(argumentsOf({ image: "", command: ["/n"] }, image), ["/n"]);
});

test("images are waited for while it depends on them what the pod is", async () => {
  const modules = {
    isHere: async (image: string) => image !== "absent",
    find: async ({ image }: { image: string }) => (image === "module" ? {} : undefined),
  } as unknown as Modules;
  const looks = new Looks({ modules, components: "" });
  const rows: [string[], boolean][] = [
    [["absent"], true],
    [["module", "absent"], true],
    [["module", "module"], false],
    [["ordinary", "absent"], false],
  ];
  for (const [images, expected] of rows) {
    const containers = images.map((image) => ({ name: image, image }));
    const lacks = await looks.lackImages({ containers } as unknown as SandboxConfig);
    assert.equal(lacks, expected, images.join());
  }
});

test("a runner starts in the pod's network, as its user, with nothing but its own in its root", () => {
  const words = runnerCommand({
    runner: {
      executable: "/usr/bin/node",
      libraries: ["/lib/ld-linux.so.2", "/lib/libc.so.6"],
      folder: "/dist/wasm",
      file: "wasm-run.cjs",
    },
    dropper: { executable: "/bin/setpriv", libraries: ["/lib/libc.so.6"] },
    kind: { uid: 5, gid: 6, groups: [7, 8], network: true },
    netns: "/run/netns/x",
    entries: ["/sys/fs/cgroup/pids/1/tasks"],
    shared: "/site/seen/1",
    hasProc: (name) => name === "kcore",
  }).join(" ");
  assert.match(words, / sh \/sys\/fs\/cgroup\/pids\/1\/tasks -- nsenter/);
  assert.match(words, /nsenter --net=\/run\/netns\/x bwrap --unshare-pid --unshare-ipc/);
  assert.match(words, /--reuid 5 --regid 6 --groups 7,8 --inh-caps=-all --bounding-set=-all/);
  assert.match(words, /--no-new-privs/);
  assert.match(words, /--ro-bind \/dev\/null \/proc\/kcore /);
  assert.doesNotMatch(words, /timer_list/);
  assert.match(words, /--bind \/site\/seen\/1 \/\.kerb\/shared/);
  assert.match(words, /wasm-run\.cjs --wait network$/);
  const shown = [...words.matchAll(/--(?:ro-)?bind (\S+)/g)].map((match) => match[1]!);
  assert.deepEqual(shown.toSorted(), [
    "/bin/setpriv",
    "/dev/null",
    "/dist/wasm",
    "/lib/ld-linux.so.2",
    "/lib/libc.so.6",
    "/site/seen/1",
    "/usr/bin/node",
  ]);
});

test("further programs lie where they lie on the machine, in folders that a runner may enter", () => {
  const words = runnerCommand({
    runner: {
      ...{ executable: "/usr/bin/node", libraries: [], folder: "/dist/vms", file: "vm-disk.cjs" },
      tools: ["/usr/bin/qemu-img", "/lib/libc.so.6"],
      volumes: ["/vm"],
    },
    dropper: { executable: "/bin/setpriv", libraries: [] },
    kind: { uid: 5, gid: 6, groups: [], network: true, program: "disk" },
    netns: "/run/netns/x",
    entries: [],
    shared: "/site/seen/1",
    hasProc: () => false,
  }).join(" ");
  for (const path of ["/usr", "/usr/bin", "/lib"])
    assert.ok(words.includes(`--perms 0755 --dir ${path} `), path);
  assert.match(words, /--ro-bind \/usr\/bin\/qemu-img \/usr\/bin\/qemu-img /);
  assert.match(words, /--symlink \/\.kerb\/shared\/volumes\/vm \/vm /);
});

test("how a runner is and how it ended is read from what bubblewrap wrote", () => {
  const running = '{ "child-pid": 12, "pid-namespace": 3 }\n';
  assert.deepEqual(statusOf(""), {});
  assert.deepEqual(statusOf(running), { pid: 12 });
  assert.deepEqual(statusOf(`${running}{ "exit-code": 137 }\n`), { pid: 12, exitCode: 137 });
  assert.deepEqual(
    [reasonOf(0, false), reasonOf(1, false), reasonOf(137, true)],
    ["Completed", "Error", "OOMKilled"],
  );
});

test("a line of a log is what one stream said, and no line where it is broken", () => {
  const said = (line: string) => {
    const { stream, text } = saidIn(Buffer.from(line)) ?? {};
    return [stream, text?.toString()];
  };
  assert.deepEqual(said("T stdout F hello"), ["stdout", "hello\n"]);
  assert.deepEqual(said("T stderr P ask: "), ["stderr", "ask: "]);
  assert.deepEqual(said("T stdout F "), ["stdout", "\n"]);
  assert.deepEqual(said("bwrap: no"), [undefined, undefined]);
});

const sandbox = (id: string, podUid?: string): SandboxRecord => ({
  id,
  boot: "b",
  netns: "",
  ips: ["10.0.0.1"],
  cgroup: "/x",
  ready: true,
  ...(podUid && {
    pod: {
      ...{ podUid, namespace: "default", name: "p", attempt: 0, createdAt: 1 },
      ...{ labels: {}, annotations: {} },
    },
  }),
});

test("what waits for a pod is nobody's, and containers are told of by their state", () => {
  const container = (id: string, startedAt: number, finishedAt: number) =>
    ({ sandboxId: "1", runner: { id }, startedAt, finishedAt }) as ContainerRecord;
  const containers = [container("a", 0, 0), container("b", 5, 0), container("c", 5, 6)];
  const pods = podsOf([sandbox("1", "u"), sandbox("2")], containers);
  assert.deepEqual([...pods.keys()], ["u"]);
  const states = pods.get("u")!.containers.map(({ id, state }) => [id, state]);
  assert.deepEqual(states, [
    ["a", "created"],
    ["b", "running"],
    ["c", "exited"],
  ]);
});

test("one of a kind is ready while pods come, and goes when none did for long", async () => {
  const clock = new FakeClock();
  let made = 0;
  const dropped: string[] = [];
  const kind = { uid: 1, gid: 1, groups: [], network: false };
  const common = { kind, above: "/kerb" };
  const pool = new Pool({
    make: async () => sandbox(String(++made)),
    drop: async ({ id }) => void dropped.push(id),
    isAlive: ({ id }) => id !== "2",
    clock,
  });
  assert.equal(pool.take(common), undefined);
  await clock.advance(2000);
  assert.equal(pool.take(common)?.id, "1");
  await clock.advance(2000);
  assert.equal(pool.take(common), undefined, "one that has ended is not given");
  await clock.advance(2000);
  await clock.advance(600_000);
  assert.deepEqual(dropped, ["2", "3"]);
  assert.equal(pool.take(common), undefined);
  await clock.advance(2000);
  await pool.close();
  assert.deepEqual([made, dropped.length], [4, 3]);
});

test("those of another user, of other groups or another class wait too, for the kinds that were asked for last", async () => {
  const clock = new FakeClock();
  const dropped: string[] = [];
  const pool = new Pool({
    make: async ({ kind: { uid, groups }, above }) => sandbox([uid, ...groups, above].join()),
    drop: async ({ id }) => void dropped.push(id),
    isAlive: () => true,
    clock,
  });
  const one = (uid: number, groups: number[] = [], above = "/a") => ({
    kind: { uid, gid: 1, groups, network: false },
    above,
  });
  for (const wish of [one(1), one(2), one(2, [7])]) pool.wish(wish);
  await clock.advance(2000);
  assert.equal(pool.take(one(2, [7]))?.id, "2,7,/a");
  assert.equal(pool.take(one(1))?.id, "1,/a");
  pool.wish(one(1, [], "/b"));
  await clock.advance(2000);
  assert.equal(pool.take(one(2)), undefined);
  assert.deepEqual(dropped, ["2,/a"]);
  await clock.advance(2000);
  assert.equal(pool.take(one(1, [], "/b"))?.id, "1,/b", "those of another class have their own");
  await pool.close();
});
