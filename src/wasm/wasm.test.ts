import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { modulePath, programOf, wasmBundle } from "./bundle.ts";
import { Directory } from "./files/directory.ts";
import { checkModule } from "./check-module.ts";
import { endOf } from "./end.ts";
import { moduleKind } from "./module-kind.ts";
import { writeHandlerBinary } from "../containers/handler-binary.ts";
import { refuseSecurity } from "./refused-security.ts";
import { seccompProfile } from "./seccomp.ts";
import { preview1 } from "./wasi-preview1/host.ts";
import { preview1Names } from "./wasi-preview1/names.ts";
import { WebAssembly } from "./web-assembly.ts";

/** A WASI module that exits with 7. */
const exitsWith7 = Buffer.from(
  [
    "0061736d0100000001080260017f0060000002240116776173695f736e617073686f745f70726576",
    "696577310970726f635f657869740000030201010503010001071302066d656d6f72790200065f73",
    "7461727400010a08010600410710000b",
  ].join(""),
  "hex",
);

test("modules are told from components and from anything else by their bytes", () => {
  const rows: [string, string | undefined][] = [
    ["0061736d01000000", "core"],
    ["0061736d0d000100", "component"],
    ["0061736d02000000", undefined],
    ["7f454c4602010100", undefined],
    ["0061736d", undefined],
  ];
  for (const [hex, kind] of rows) assert.equal(moduleKind(Buffer.from(hex, "hex")), kind, hex);
});

test("a module's path is found from the container's working directory", () => {
  const of = (cwd: string, first: string) => modulePath({ process: { args: [first], cwd } });
  assert.equal(of("/", "/app.wasm"), "/app.wasm");
  assert.equal(of("/srv", "app.wasm"), "/srv/app.wasm");
  assert.equal(of("/", "../../etc/x"), "/etc/x");
});

const runner = {
  executable: "/usr/bin/node",
  libraries: ["/lib64/ld-linux.so.2", "/usr/lib/libatomic.so.1.2.0"],
  folder: "/k/wasm",
  file: "wasm-run.cjs",
};
const options = { runner, program: "/b/program.json", network: false, arch: "x64" };

test("a bundle runs its module under Node, as nobody, with nothing but its volumes", () => {
  const mounts = [
    { destination: "/sys", type: "sysfs", source: "sysfs" },
    { destination: "/data", type: "bind", source: "/volumes/data", options: ["rbind", "rw"] },
  ];
  const bundle = wasmBundle(
    {
      process: { args: ["app.wasm", "-v"], cwd: "/srv", user: { uid: 0, gid: 0 } },
      mounts,
      linux: {
        namespaces: [{ type: "pid" }, { type: "network", path: "/proc/42/ns/net" }],
        resources: { memory: { limit: 2 ** 26, swap: 2 ** 26 } },
      },
    },
    options,
  );
  assert.equal(bundle.process.args[0], "/.kerb/ld-linux.so.2");
  assert.deepEqual(bundle.process.args.slice(-2), [
    "/.kerb/code/wasm-run.cjs",
    "/.kerb/program.json",
  ]);
  assert.deepEqual(
    bundle.mounts!.map(({ destination }) => destination),
    ["/data", "/.kerb/node", "/.kerb/code", "/.kerb/program.json"].concat([
      "/.kerb/ld-linux.so.2",
      "/.kerb/libatomic.so.1",
    ]),
  );
  assert.deepEqual(bundle.process.user, { uid: 65_534, gid: 65_534 });
  assert.equal(bundle.process["noNewPrivileges"], true);
  assert.equal(bundle.root!.readonly, true);
  assert.equal(bundle.linux!.namespaces![0]!.path, "/proc/42/ns/pid");
  assert.deepEqual(bundle.linux!.resources!.memory, { limit: 2 ** 26 + 48 * 2 ** 20 });
});

test("a container that asks for a user has that one, be it root", () => {
  const started = { args: ["app.wasm"], cwd: "/", user: { uid: 0, gid: 0 } };
  const annotations = { "kerb.dev/run-as-user": "true" };
  const bundle = wasmBundle({ process: started, annotations }, options);
  assert.deepEqual(bundle.process.user, started.user);
});

test("an annotation has all code compiled well before it runs", () => {
  const started = { args: ["app.wasm"], cwd: "/" };
  const annotations = { "kerb.dev/wasm-compile": "optimized" };
  const { process: asked } = wasmBundle({ process: started, annotations }, options);
  assert.ok(asked.args.includes("--no-liftoff"));
  assert.ok(!wasmBundle({ process: started }, options).process.args.includes("--no-liftoff"));
});

test("walls other than those of all modules are refused by the field's name", () => {
  const rows: [object, RegExp | undefined][] = [
    [{}, undefined],
    [{ privileged: false, capabilities: { drop: ["ALL"] } }, undefined],
    [{ seccompProfile: { type: "RuntimeDefault" } }, undefined],
    [{ privileged: true }, /^securityContext\.privileged: not for/],
    [{ capabilities: { add: ["NET_ADMIN"] } }, /^securityContext\.capabilities\.add: /],
    [{ seccompProfile: { type: "Localhost" } }, /seccompProfile\.localhostProfile: /],
  ];
  for (const [context, why] of rows) {
    if (why) assert.throws(() => refuseSecurity(context), { message: why });
    else refuseSecurity(context);
  }
});

test("without a network there are no sockets, and never a new process", () => {
  const allowed = (network: boolean) =>
    seccompProfile({ network, arch: "x64" }).syscalls.flatMap((one) =>
      one.action === "SCMP_ACT_ALLOW" && !one.args ? one.names : [],
    );
  const sockets = (network: boolean) =>
    seccompProfile({ network, arch: "x64" })
      .syscalls.filter(({ names }) => names.includes("socket"))
      .map(({ args = [] }) => args.map(({ valueTwo }) => valueTwo));
  assert.deepEqual(sockets(false), []);
  const [inet, inet6] = [2, 10].map((family) => [0, 6, 17].map((protocol) => [family, protocol]));
  assert.deepEqual(sockets(true), [[1], ...inet!, ...inet6!, [16, 0]]);
  for (const name of ["fork", "vfork", "clone", "unshare", "mount", "ptrace", "bpf", "setns"]) {
    assert.ok(!allowed(true).includes(name), name);
  }
});

test("a module is told its arguments, its environment and its volumes, and of files no neighbours", () => {
  const bind = (source: string, destination: string, ...more: string[]) => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", ...more],
  });
  const program = programOf(
    {
      process: { args: ["app.wasm", "-v"], cwd: "/", env: ["A=b=c", "EMPTY="] },
      annotations: { "kerb.dev/bare-arguments": "true" },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        bind("/pods/1/etc-hosts", "/etc/hosts", "rw"),
        bind("/pods/1/0.termination", "/dev/termination-log", "rw"),
        bind("/volumes/data", "/data", "rw"),
        bind("/volumes/cm/app.conf", "/etc/app.conf", "ro"),
      ],
    },
    (path) => !path.endsWith(".conf"),
  );
  assert.deepEqual(program, {
    module: "/app.wasm",
    args: ["-v"],
    env: { A: "b=c", EMPTY: "" },
    preopens: [
      { guest: "/etc", host: "/etc", readOnly: true, only: ["app.conf"] },
      { guest: "/data", host: "/data", readOnly: false },
      { guest: "/dev", host: "/dev", readOnly: false, only: ["termination-log"] },
    ],
    terminationLog: "/dev/termination-log",
  });
});

test("a module is told the devices that were given to it by name, and what it may do with them", () => {
  const device = (path: string, minor: number) => ({ path, type: "c", major: 4, minor });
  const rule = (minor: number, access: string) => ({
    allow: true,
    type: "c",
    major: 4,
    minor,
    access,
  });
  const devices = [device("/dev/ttyS1", 65), device("/dev/ttyS2", 66), device("/dev/kmsg", 1)];
  const resources = { devices: [{ allow: true }, rule(65, "rw"), rule(66, "r")] };
  const config = { process: { args: ["app.wasm"], cwd: "/" }, linux: { devices, resources } };
  const { preopens } = programOf(config, () => false);
  const only = ["ttyS1", "ttyS2"];
  assert.deepEqual(preopens, [
    { guest: "/dev", host: "/dev", readOnly: false, only, devices: only },
  ]);
  const { linux } = wasmBundle(config, options);
  assert.deepEqual(linux!["devices"][0], { ...devices[0], uid: 65_534, gid: 65_534 });
});

test("a device is opened where it was given, and nowhere else", () => {
  const mode = { follow: true, read: true, write: true };
  const given = Directory.at("/dev", {
    readOnly: false,
    only: ["null", "zero"],
    devices: ["null"],
  });
  const opened = given.open("null", mode);
  assert.equal(opened.kind, "character");
  assert.equal(opened.read(new Uint8Array(4)), 0);
  assert.equal(opened.write(Buffer.from("hello")), 5);
  opened.close();
  assert.throws(() => given.open("zero", mode), { code: "EACCES" });
  // The same folder, opened anew, gives as much.
  const again = given.open(".", { follow: true, read: true, write: false, directory: true });
  assert.ok(again instanceof Directory);
  again.open("null", mode).close();
  assert.throws(() => again.open("zero", mode), { code: "EACCES" });
  const reading = Directory.at("/dev", { readOnly: true, only: ["null"], devices: ["null"] });
  assert.throws(() => reading.open("null", mode), { code: "EROFS" });
});

const preamble = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const text = (value: string) => [value.length, ...Buffer.from(value)];
const section = (id: number, ...content: number[]) => [id, content.length, ...content];
const start = section(7, 1, ...text("_start"), 0, 0);
const memory = (...limits: number[]) => section(5, 1, ...limits);
const imported = (module: string, name: string) =>
  section(2, 1, ...text(module), ...text(name), 0, 0);

test("what cannot run is refused by name, before it runs", () => {
  const rows: [number[], RegExp][] = [
    [[...exitsWith7.subarray(8, 30)], /is truncated: \d+ bytes are missing/],
    [[...imported("env", "magic"), ...start], /imports env\.magic, which is not provided here/],
    [
      [...imported("wasi_snapshot_preview1", "fd_fly"), ...start],
      /imports wasi_snapshot_preview1\.fd_fly, which is not provided/,
    ],
    [[...imported("wasi_unstable", "fd_read"), ...start], /came before WASI preview 1/],
    [[...memory(4, 1), ...start], /memory64/],
    [[...memory(0, 0x80, 0x20), ...start], /needs 256 MiB of memory.*its limit is 64 MiB/],
    [memory(0, 1), /exports no function _start/],
  ];
  for (const [content, why] of rows) {
    assert.throws(() => checkModule(Buffer.from([...preamble, ...content]), 2 ** 26), why);
  }
  checkModule(exitsWith7, 2 ** 26);
});

test("the calls that are known by name are those of the host", () => {
  const world = { now: () => 0n, monotonic: () => 0n, random: () => {}, exit: process.exit };
  const { imports } = preview1({ args: [], env: {}, preopens: [], ...world });
  assert.deepEqual(new Set(Object.keys(imports)), preview1Names);
});

test("an end is told in words, with what the memory had to do with it", () => {
  const trap = new WebAssembly.RuntimeError("unreachable");
  const at = (usedBytes: number) => ({ module: "/a.wasm", usedBytes, memoryBytes: 2 ** 26 });
  assert.equal(endOf(trap, at(0)), "/a.wasm trapped: unreachable");
  assert.match(endOf(trap, at(2 ** 26)), /its memory had grown to 64 MiB, and 64 MiB is its limit/);
  assert.match(endOf(new RangeError("Maximum call stack size exceeded"), at(0)), /call stack/);
});

function inFolder(use: (folder: string) => void) {
  const folder = mkdtempSync(join(tmpdir(), "kerb-wasm-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a container ends with the exit code of its module", () => {
  inFolder((folder) => {
    const module = join(folder, "app.wasm");
    const program = join(folder, "program.json");
    writeFileSync(module, exitsWith7);
    writeFileSync(program, JSON.stringify({ module, args: [], env: {}, preopens: [] }));
    const file = join(import.meta.dirname, "wasm-run.ts");
    assert.equal(spawnSync(process.execPath, [file, program]).status, 7);
  });
});

test("what is no module is refused by name before runc sees it", () => {
  const prepare = join(import.meta.dirname, "wasm-prepare.ts");
  inFolder((folder) => {
    const noExec = { file: "program.json", why: "no exec here" };
    const runtime = writeHandlerBinary(folder, { name: "wasm", prepare, noExec }, "/bin/true");
    const exec = () => spawnSync(runtime, ["--log", join(folder, "log.json"), "exec", "id"]);
    assert.equal(exec().status, 0);
    const create = (bytes: Buffer, program = "/app.wasm") => {
      const bundle = { process: { args: [program], cwd: "/" }, root: { path: "." } };
      writeFileSync(join(folder, "config.json"), JSON.stringify(bundle));
      writeFileSync(join(folder, "app.wasm"), bytes);
      return spawnSync(runtime, ["create", "--bundle", folder, "id"], { encoding: "utf8" });
    };
    assert.match(create(Buffer.from("#!/bin/sh -eu")).stderr, /is no WebAssembly module/);
    assert.equal(create(Buffer.from("#!/bin/sh -eu"), "/bin/app").status, 0);
    const quoted = Buffer.from([...preamble, ...imported("env", '"\n')]);
    assert.match(create(quoted).stderr, /app.wasm imports env\.\\"\\n, which/);
    assert.equal(create(exitsWith7).status, 0);
    assert.match(readFileSync(join(folder, "config.json"), "utf8"), /wasm-run\.ts/);
    assert.match(exec().stderr.toString(), /no exec here/);
  });
});
