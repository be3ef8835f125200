// WebAssembly pods as people run them: modules from C, `runtimeClassName: wasm`, kubectl.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ociArchive } from "../../src/containers/oci-archive.ts";
import { ociArchitecture } from "../../src/containers/pause.ts";
import { memoryOf } from "../support/cgroup-memory.ts";
import { run, runToEnd } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { compileC } from "../support/wasm-module.ts";

let site: Site;
let probe: Buffer;

/** An ordinary image that holds nothing but `app.wasm`. */
async function importImage(name: string, bytes: Buffer) {
  const file = join(site.directory, `${name}.tar`);
  const archive = ociArchive({
    name: `docker.io/library/${name}:1`,
    architecture: ociArchitecture(process.arch),
    files: [{ path: "app.wasm", data: bytes, mode: 0o644 }],
    entrypoint: ["/app.wasm"],
  });
  writeFileSync(file, archive);
  await site.kerb("image", "import", file);
}

before(async () => {
  site = await startSite("--name", "wasm");
  const folder = join(site.directory, "modules");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "probe.wasm");
  await compileC("test/wasm/probe.c", file);
  probe = readFileSync(file);
  await site.kerb("image", "import", file, "--name", "probe:1");
  await importBusybox(site);
});
after(() => site.remove());

interface PodOptions {
  image?: string;
  /** Of the container, and of the pod. */
  more?: object;
  spec?: object;
}

function pod(name: string, args: string[], { image = "probe:1", more, spec }: PodOptions = {}) {
  const container = { name: "main", image, args, ...more };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { runtimeClassName: "wasm", restartPolicy: "Never", containers: [container], ...spec },
  });
}

const phase = (name: string, wanted: string) => {
  const state = `--for=jsonpath={.status.phase}=${wanted}`;
  return site.kubectl(["wait", state, `pod/${name}`, "--timeout=120s"]);
};
const logs = (name: string, ...args: string[]) => site.kubectl(["logs", name, ...args]);
const stateOf = async (name: string) => (await site.get("pod", name)).status.containerStatuses[0];

/** Runs a pod to its end; resolves with how it ended. */
async function ended(name: string, args: string[], options?: PodOptions) {
  await site.apply(pod(name, args, options));
  await eventually(async () => (await stateOf(name)).state.terminated, `${name} ends`);
  return (await stateOf(name)).state.terminated;
}

test("a module has its arguments, its environment, its volumes and its own exit code", async () => {
  await site.kubectl(["create", "configmap", "settings", "--from-literal=color=blue"]);
  const more = {
    env: [
      { name: "PLAIN", value: "text" },
      { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "COLOR", valueFrom: { configMapKeyRef: { name: "settings", key: "color" } } },
    ],
    volumeMounts: [
      { name: "data", mountPath: "/data" },
      { name: "settings", mountPath: "/etc/settings" },
      { name: "settings", mountPath: "/etc/one.conf", subPath: "color" },
      { name: "data", mountPath: "/kept", readOnly: true },
      { name: "data", mountPath: "/inner", subPath: "made/here" },
    ],
  };
  const volumes = [
    { name: "data", emptyDir: {} },
    { name: "settings", configMap: { name: "settings" } },
  ];
  const args = ["args", "env", "write", "/data/file", "written", "cat", "/kept/file"];
  args.push("write", "/kept/file", "x", "cat", "/etc/settings/color", "cat", "/etc/one.conf");
  args.push("write", "/inner/file", "x", "cat", "/etc/passwd", "ls", "/");
  args.push("warn", "to stderr", "exit", "7");
  const end = await ended("all", args, { more, spec: { volumes } });
  assert.deepEqual([end.exitCode, end.reason], [7, "Error"]);
  const said = await logs("all");
  const env = ["env: PLAIN=text", "env: POD=all", "env: HOSTNAME=all"];
  for (const line of ["arg: /module.wasm", "arg: 7", ...env])
    assert.ok(said.includes(`${line}\n`), line);
  // Two streams, each in its own order.
  const lines = said.trimEnd().split("\n");
  assert.ok(lines.includes("to stderr"));
  const results = lines.filter((line) => line !== "to stderr");
  assert.deepEqual(results.slice(results.indexOf("write: ok")), [
    "write: ok",
    "cat: written",
    "write: Read-only file system",
    "cat: blue",
    "cat: blue",
    "write: ok",
    "cat: No such file or directory",
    "ls: Capabilities insufficient",
  ]);
});

test("a ConfigMap's change reaches a running module", async () => {
  const more = { volumeMounts: [{ name: "settings", mountPath: "/settings" }] };
  const volumes = [{ name: "settings", configMap: { name: "settings" } }];
  const args = Array.from({ length: 300 }, () => ["cat", "/settings/color", "sleep", "0.2"]).flat();
  await site.apply(pod("live", args, { more, spec: { volumes } }));
  await phase("live", "Running");
  await site.kubectl(["patch", "configmap", "settings", "-p", '{"data":{"color":"green"}}']);
  await eventually(async () => (await logs("live")).includes("cat: green"), "the new value");
  await site.kubectl(["delete", "pod", "live", "--wait", "--timeout=120s"]);
});

test("it restarts as its policy says, with an init container before it", async () => {
  const initContainers = [{ name: "init", image: "probe:1", args: ["say", "first"] }];
  await site.apply(
    pod("again", ["say", "second", "exit", "3"], {
      spec: { restartPolicy: "OnFailure", initContainers },
    }),
  );
  await eventually(async () => (await stateOf("again")).restartCount > 0, "a restart");
  assert.equal((await logs("again", "-c", "init")).trim(), "first");
  assert.equal((await logs("again", "--previous")).trim(), "second");
  await site.kubectl(["delete", "pod", "again"]);
});

test("a module that waits is ended by SIGTERM, and attach reads and writes its streams", async () => {
  const more = { stdin: true, stdinOnce: true };
  await site.apply(pod("talk", ["stdin"], { more }));
  await phase("talk", "Running");
  const said = await site.kubectl(["attach", "-i", "talk"], { input: "one\ntwo\n" });
  assert.match(said, /stdin: one\nstdin: two\n/);
  await phase("talk", "Succeeded");
  await site.apply(pod("sleeper", ["sleep", "1000"]));
  await phase("sleeper", "Running");
  await site.kubectl(["delete", "pod", "sleeper", "--grace-period=600", "--timeout=120s"]);
});

test("exec is refused by name, in kubectl and in probes", async () => {
  const livenessProbe = { exec: { command: ["true"] }, periodSeconds: 1, failureThreshold: 99 };
  await site.apply(pod("closed", ["sleep", "1000"], { more: { livenessProbe } }));
  await phase("closed", "Running");
  const asked = await site.tryKubectl(["exec", "closed", "--", "/.kerb/node", "-v"]);
  assert.notEqual(asked.code, 0);
  assert.match(asked.stderr, /exec is not supported in WebAssembly containers/);
  await eventually(
    async () => /Liveness probe.*exec is not supported/.test(await site.kubectl(["events"])),
    "an event of the probe",
  );
  await site.kubectl(["delete", "pod", "closed", "--grace-period=0", "--force"]);
});

test("what cannot run says why in the pod's status", async () => {
  const component = Buffer.from("0061736d0d00010000", "hex");
  const module = (hex: string) => Buffer.from(`0061736d01000000${hex}`, "hex");
  const hex = (text: string) => Buffer.from(text).toString("hex");
  const more = { resources: { limits: { memory: "64Mi" } } };
  const images: [string, Buffer, RegExp][] = [
    ["truncated", probe.subarray(0, -100), /app\.wasm is truncated/],
    ["stranger", Buffer.from("#!/bin/sh\nexit 0\n"), /app\.wasm is no WebAssembly module/],
    ["broken", component, /app\.wasm is a WebAssembly component|component/],
    ["preamble", Buffer.from("0061736d02000000", "hex"), /app\.wasm is no WebAssembly module/],
    [
      "missing",
      module(`010401600000020f0103${hex("env")}07${hex("missing")}0000`),
      /app\.wasm imports env\.missing, which is not provided/,
    ],
    ["wide", module("0503010401"), /app\.wasm has a 64-bit memory/],
    [
      "hungry",
      module("050401008010"),
      /needs 128 MiB of memory at its start, and its limit is 64 MiB/,
    ],
  ];
  await Promise.all(images.map(([name, bytes]) => importImage(name, bytes)));
  const spec = { restartPolicy: "Always" };
  const pods = images.map(([name]) => pod(name, [], { image: `${name}:1`, spec, more }));
  await site.apply(`{"apiVersion":"v1","kind":"List","items":[${pods.join()}]}`);
  for (const [name, , why] of images) {
    const waiting = await eventually(async () => {
      const { state, lastState } = await stateOf(name);
      const one = state.waiting ?? lastState.terminated;
      return why.test(one?.message ?? "") && one;
    }, `${name} says why`);
    assert.match(waiting.message, why);
    await site.kubectl(["delete", "pod", name, "--wait=false"]);
  }
});

test("traps and full memories are told in the status, and the limit is the module's own", async () => {
  const limits = { memory: "32Mi" };
  const full = await ended("full", ["grow"], { more: { resources: { limits } } });
  assert.equal(full.exitCode, 134);
  assert.match(full.message, /trapped: unreachable; its memory had grown to 3\d MiB, and 32 MiB/);
  assert.match(await logs("full"), /grow: (2|3)\d MiB/);
  const deep = await ended("deep", ["recurse"]);
  assert.match(deep.message, /module\.wasm trapped: /);
});

test("a module may leave last words of its own, where its container says", async () => {
  const more = { terminationMessagePath: "/tmp/words" };
  const end = await ended("words", ["write", "/tmp/words", "farewell", "exit", "9"], { more });
  assert.deepEqual([end.exitCode, end.message], [9, "farewell"]);
});

/** Wishes for more; resolves with its status once `isDone` says so. */
async function resized(name: string, limits: object, isDone: (status: any) => boolean) {
  const containers = [{ name: "main", resources: { limits, requests: limits } }];
  const wish = JSON.stringify({ spec: { containers } });
  await site.kubectl(["patch", "pod", name, "--subresource", "resize", "-p", wish]);
  return eventually(async () => {
    const { status } = await site.get("pod", name);
    return isDone(status) && status;
  }, `${name} is resized, or why it is not`);
}

test("a resize changes the CPU of a running module, and its memory only with a restart", async () => {
  const resources = { limits: { cpu: "100m", memory: "32Mi" } };
  const restartPolicy = "Always";
  const anew = [{ resourceName: "memory", restartPolicy: "RestartContainer" }];
  const box = { name: "box", image: "busybox:kerb", command: ["sleep", "1000"], resources };
  const main = { name: "main", image: "probe:1", args: ["sleep", "1000"], resources };
  const pods = [
    pod("sized", ["sleep", "1000"], { more: { resources }, spec: { restartPolicy } }),
    pod("anew", ["sleep", "1000"], {
      more: { resources, resizePolicy: anew },
      spec: { restartPolicy },
    }),
    pod("beside", [], { spec: { restartPolicy, containers: [main, box] } }),
  ];
  await site.apply(`{"apiVersion":"v1","kind":"List","items":[${pods.join()}]}`);
  const own = ({ containerStatuses }: any) =>
    containerStatuses.find((one: any) => one.name === "main");
  const refusal = ({ conditions }: any) =>
    conditions.find((one: any) => one.type === "PodResizeInProgress")?.message;
  for (const name of ["sized", "beside"]) {
    await phase(name, "Running");
    const isFaster = (status: any) => own(status).resources?.limits.cpu === "200m";
    const faster = await resized(name, { cpu: "200m", memory: "32Mi" }, isFaster);
    assert.equal(own(faster).restartCount, 0, name);
    const larger = await resized(name, { cpu: "200m", memory: "64Mi" }, refusal);
    assert.match(refusal(larger), /keeps the memory limit that it began with/, name);
    assert.deepEqual(
      [own(larger).restartCount, own(larger).state.running !== undefined],
      [0, true],
    );
  }
  await phase("anew", "Running");
  const isAnew = (status: any) => own(status).restartCount === 1 && own(status).state.running;
  const larger = await resized("anew", { cpu: "100m", memory: "64Mi" }, isAnew);
  assert.equal(own(larger).resources.limits.memory, "64Mi");
  for (const name of ["sized", "anew", "beside"])
    await site.kubectl(["delete", "pod", name, "--grace-period=0", "--force"]);
});

test("one that spins is ended, and one that floods its log leaves a log of bounded size", async () => {
  const more = { resources: { limits: { cpu: "500m" } } };
  await site.apply(pod("spinner", ["spin"], { more }));
  await phase("spinner", "Running");
  await site.kubectl(["delete", "pod", "spinner", "--grace-period=600", "--timeout=120s"]);
  assert.equal((await ended("flood", ["flood", "20000"])).exitCode, 0);
  assert.equal((await logs("flood", "--tail=-1")).trimEnd().split("\n").length, 20_000);
  await site.apply(pod("flooding", ["flood", "1000000000"]));
  const { uid } = (await site.get("pod", "flooding")).metadata;
  const folder = join(site.directory, `logs/default_flooding_${uid}/main`);
  await eventually(async () => readdirSync(folder).length > 2, "full logs are put aside");
  await site.kubectl(["delete", "pod", "flooding", "--grace-period=0", "--force"]);
});

test("one that fills its volume hears that it is full", async () => {
  const more = { volumeMounts: [{ name: "data", mountPath: "/data" }] };
  const volumes = [{ name: "data", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }];
  await ended("filler", ["fill", "/data/file"], { more, spec: { volumes } });
  assert.match(await logs("filler"), /fill: 1048576 bytes, then No space left on device/);
});

test("modules and ordinary containers share a pod and its volume", async () => {
  const volumeMounts = [{ name: "data", mountPath: "/data" }];
  const writer = { name: "main", image: "probe:1", args: ["write", "/data/file", "from wasm"] };
  const script = "until grep -s . /data/file; do sleep 0.1; done";
  const reader = { name: "reader", image: "busybox:kerb", command: ["sh", "-c", script] };
  const containers = [writer, reader].map((one) => ({ ...one, volumeMounts }));
  const volumes = [{ name: "data", emptyDir: {} }];
  await site.apply(pod("mixed", [], { spec: { containers, volumes } }));
  await phase("mixed", "Succeeded");
  assert.equal((await logs("mixed", "-c", "reader")).trim(), "from wasm");
});

/** Node's process in a container, on the machine; undefined where containerd has the container. */
function processOf(containerId: string): number | undefined {
  const id = containerId.replace(/^\w+:\/\//, "");
  const status = join(site.directory, "wasm/pods/status", id);
  if (!existsSync(status)) return undefined;
  const first = /"child-pid": (\d+)/.exec(readFileSync(status, "utf8"))?.[1];
  return Number(readFileSync(`/proc/${first}/task/${first}/children`, "utf8"));
}

test("a pod of modules alone needs no containerd, and has the same walls around it", async () => {
  const more = { resources: { limits: { cpu: "500m", memory: "32Mi" } } };
  await site.apply(pod("walled", ["serve", "tick", "0.2"], { more }));
  await phase("walled", "Running");
  const { containerID } = await stateOf("walled");
  const pid = processOf(containerID)!;
  const told = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(told)?.[1]?.trim();
  const nobody = "65534\t65534\t65534\t65534";
  assert.deepEqual(["Uid", "Gid", "Groups"].map(field), [nobody, nobody, ""]);
  assert.deepEqual(["NoNewPrivs", "Seccomp"].map(field), ["1", "2"]);
  for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
    assert.match(field(name)!, /^0+$/, name);
  for (const name of ["mnt", "pid", "net", "ipc", "uts"]) {
    const of = (one: number | "self") => readlinkSync(`/proc/${one}/ns/${name}`);
    assert.notEqual(of(pid), of("self"), name);
  }
  assert.deepEqual(readdirSync(`/proc/${pid}/root`).toSorted(), [".kerb", "dev", "etc", "proc"]);
  const { uid } = (await site.get("pod", "walled")).metadata;
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  for (const line of lines) {
    // That of its pod, or one that was there before its pod.
    if (/:(memory|cpu|pids):|^0::\/./.test(line))
      assert.match(line, new RegExp(`/(pod${uid}|slot-\\w+)/\\w+$`));
  }
  const [own, ofPod, used] = memoryOf(lines);
  assert.deepEqual([own, ofPod], [80 * 2 ** 20, 80 * 2 ** 20], "what Node takes is on top of it");
  const kib = Number(/^(\d+) kB/.exec(field("RssAnon")!)![1]);
  assert.ok(used! >= kib * 1024, "what it took before its pod came is its pod's");
  const command = [site.kubectlPath, "--kubeconfig", site.kubeconfig, "attach", "walled"];
  const attached = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "ignore"] });
  const [said] = await once(attached.stdout, "data");
  attached.kill();
  assert.match(String(said), /^tick/m);
  await site.kubectl(["delete", "pod", "walled", "--timeout=20s"]);
  assert.ok(!existsSync(`/proc/${pid}`), "nothing of it runs");
});

test("modules outlive Kerb", async () => {
  await site.apply(pod("keeps", ["serve", "tick", "0.2"], { spec: { restartPolicy: "Always" } }));
  await phase("keeps", "Running");
  const before = await stateOf("keeps");
  process.kill(site.pid, "SIGKILL");
  await site.up();
  await site.kubectl(["wait", "--for=condition=Ready", "pod/keeps", "--timeout=120s"]);
  const now = await stateOf("keeps");
  assert.deepEqual([now.restartCount, now.containerID], [0, before.containerID]);
});

test("after a reboot of the machine a pod of modules comes again, with its address", async () => {
  const before = await site.get("pod", "keeps");
  const { containerID } = before.status.containerStatuses[0];
  process.kill(site.pid, "SIGKILL");
  process.kill(processOf(containerID)!, "SIGKILL");
  // What the machine's end takes along: mounts, namespaces, and the life that records are of.
  const folder = join(site.directory, "wasm/pods");
  await run("umount", ["--lazy", "--recursive", join(folder, "seen")]);
  for (const id of readdirSync(join(folder, "sandboxes"))) {
    const file = join(folder, "sandboxes", id);
    // Of sandboxes that ended it is gone.
    await runToEnd("ip", ["netns", "delete", id]);
    writeFileSync(file, readFileSync(file, "utf8").replace(/"boot":"[^"]*"/, '"boot":"before"'));
  }
  await site.up();
  await eventually(async () => {
    const { restartCount, state } = await stateOf("keeps");
    return restartCount === 1 && state.running;
  }, "it runs again");
  const { status } = await site.get("pod", "keeps");
  assert.deepEqual(status.podIPs, before.status.podIPs);
  assert.match(await logs("keeps", "--previous"), /tick/);
});
