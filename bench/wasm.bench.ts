// WebAssembly beside a raw child of Node with node:wasi, a container of the same program, native code and a
// plain HTTP server of Node, all in the same run.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { httpAnnotations, httpSettings } from "../src/wasm/http-settings.ts";
import { run } from "../test/support/command.ts";
import { importBusybox } from "../test/support/image.ts";
import { freePort, root } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { buildHandler } from "../test/support/wasm-component.ts";
import { compileC } from "../test/support/wasm-module.ts";
import { percentile } from "./row.ts";
import type { Rows } from "./row.ts";

const built = join(root, "dist/wasm/wasm-run.cjs");
const nodeWasi = join(root, "test/wasm/node-wasi.mjs");
const median = (values: number[]) => percentile(values, 0.5);

class Folder {
  readonly path: string;
  #files = 0;

  constructor(site: Site) {
    this.path = join(site.directory, "bench");
    mkdirSync(this.path, { recursive: true });
  }

  /** Arguments of Node by which a host runs a program. */
  command(host: string, program: object, ...flags: string[]): string[] {
    const file = join(this.path, `program-${this.#files++}.json`);
    writeFileSync(file, JSON.stringify({ env: {}, preopens: [], args: ["app"], ...program }));
    return ["--no-warnings", ...flags, host, file];
  }
}

/** Milliseconds from the start of a process to its first output. */
async function firstOutput(args: string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const took = performance.now() - began;
  child.kill("SIGKILL");
  await once(child, "exit");
  return took;
}

async function* benchFirstOutput(folder: Folder, module: string, runs: number): Rows {
  const program = { module, args: ["app", "say", "x"] };
  const [ours, raw]: number[][] = [[], []];
  for (let i = 0; i < runs; i++) {
    ours!.push(await firstOutput(folder.command(built, program)));
    raw!.push(await firstOutput(folder.command(nodeWasi, program)));
  }
  const baseline = { name: "child with node:wasi", value: median(raw!) };
  const name = "wasm runner, start to first output";
  yield { name, value: median(ours!), unit: "ms", baseline, better: "lower" };
}

const podOf = (name: string, spec: object) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 0, ...spec },
  });

/** Milliseconds from `kubectl apply` to the first line in the log. */
async function podOutput(site: Site, name: string, spec: object): Promise<number> {
  const began = performance.now();
  await site.apply(podOf(name, spec));
  for (;;) {
    const { stdout } = await site.tryKubectl(["logs", name]);
    if (stdout !== "") break;
    await setTimeout(5);
  }
  const took = performance.now() - began;
  await site.kubectl(["delete", "pod", name, "--wait=false"]);
  return took;
}

async function* benchPods(site: Site, module: string, runs: number): Rows {
  await site.kerb("image", "import", module, "--name", "probe:1");
  await importBusybox(site);
  const wasm = {
    runtimeClassName: "wasm",
    containers: [{ name: "main", image: "probe:1", args: ["say", "x"] }],
  };
  const plain = {
    containers: [{ name: "main", image: "busybox:kerb", command: ["echo", "x"] }],
  };
  const [ours, theirs]: number[][] = [[], []];
  for (let i = 0; i < runs; i++) {
    ours!.push(await podOutput(site, `wasm-${i}`, wasm));
    theirs!.push(await podOutput(site, `plain-${i}`, plain));
  }
  const baseline = { name: "pod of a container", value: median(theirs!) };
  const name = "wasm pod, apply to its line in kubectl logs";
  yield { name, value: median(ours!), unit: "ms", baseline, better: "lower" };
}

/** Mebibytes that a process shares with nobody. */
function privateMiB(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const sizes = [...text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].map((match) => Number(match[1]));
  return sizes.reduce((sum, kib) => sum + kib, 0) / 1024;
}

async function idleMiB(args: string[]): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await setTimeout(1000);
  const found = privateMiB(child.pid!);
  child.kill("SIGKILL");
  return found;
}

async function* benchMemory(folder: Folder, module: string): Rows {
  const program = { module, args: ["app", "sleep", "1000"] };
  const raw = await idleMiB(folder.command(nodeWasi, program));
  yield {
    name: "idle wasm container, private memory",
    value: await idleMiB(folder.command(built, program)),
    unit: "MiB",
    baseline: { name: "child with node:wasi", value: raw },
    better: "lower",
    target: 10,
  };
}

/** Milliseconds from SIGTERM to the end of a module that does not listen. */
async function killed(args: string[]): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await setTimeout(100);
  const began = performance.now();
  child.kill("SIGTERM");
  await once(child, "exit");
  return performance.now() - began;
}

async function* benchKill(folder: Folder, module: string, runs: number): Rows {
  for (const [name, ...args] of [
    ["loop", "say", "begins", "spin"],
    ["sleep", "sleep", "1000"],
  ]) {
    const took = [];
    const program = { module, args: ["app", ...args] };
    for (let i = 0; i < runs; i++) took.push(await killed(folder.command(built, program)));
    const row = { unit: "ms", better: "lower" as const, target: 50 };
    yield {
      ...row,
      name: `wasm module in a ${name}, SIGTERM to its end`,
      value: median(took),
    };
  }
}

/** Asks again and again over one connection, by a client that costs next to nothing. */
function asking(port: number, isOver: () => boolean): Promise<void> {
  const question = "GET /x HTTP/1.1\r\nhost: bench\r\n\r\n";
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1").setNoDelay(true).setEncoding("latin1");
    let text = "";
    const ask = () => (isOver() ? (socket.destroy(), resolve()) : void socket.write(question));
    socket.on("connect", ask).on("error", reject).on("close", resolve);
    socket.on("data", (piece: string) => {
      text += piece;
      const body = text.indexOf("\r\n\r\n") + 4;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
      if (body < 4 || text.length < body + length) return;
      if (!text.startsWith("HTTP/1.1 200")) return reject(new Error(text));
      text = "";
      ask();
    });
  });
}

async function requestsPerSecond(child: ChildProcess, port: number, total: number) {
  const clients = 16;
  const ask = async (count: number) => {
    let begun = 0;
    const isOver = () => begun++ >= count;
    await Promise.all(Array.from({ length: clients }, () => asking(port, isOver)));
  };
  for (let tries = 0; tries < 200; tries++) {
    const isServed = await ask(clients).then(
      () => true,
      () => false,
    );
    if (isServed) break;
    await setTimeout(50);
  }
  await ask(total / 4);
  const began = performance.now();
  await ask(total);
  const rate = (total * 1000) / (performance.now() - began);
  child.kill("SIGKILL");
  return rate;
}

async function* benchHttp(folder: Folder, total: number): Rows {
  const component = join(folder.path, "http.wasm");
  await buildHandler(component, "Hello from ");
  const made = join(folder.path, "http");
  const script = `cat ${component} | ${process.execPath} dist/wasm-transpile.js ${made}`;
  await run("sh", ["-c", script], { cwd: root });
  const serve = async (isFresh: boolean) => {
    const port = await freePort();
    const http = httpSettings(isFresh ? { [httpAnnotations.instance]: "fresh" } : {});
    const program = { module: component, component: made, env: { PORT: String(port) }, http };
    const args = folder.command(built, program);
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    return requestsPerSecond(child, port, isFresh ? total / 8 : total);
  };
  const port = await freePort();
  const plain = `require("node:http").createServer((q, r) => {
    r.setHeader("content-type", "text/plain"); r.end("Hello from " + q.url + "\\n");
  }).listen(${port})`;
  const child = spawn(process.execPath, ["-e", plain], { stdio: "ignore" });
  const baseline = {
    name: "Node's own server",
    value: await requestsPerSecond(child, port, total),
  };
  const row = { unit: "/s", baseline, better: "higher" as const };
  yield { ...row, name: "wasi:http, instance used again", value: await serve(false), target: 4000 };
  yield { ...row, name: "wasi:http, fresh instance each", value: await serve(true), target: 700 };
}

async function* benchCompute(folder: Folder): Rows {
  const module = join(folder.path, "compute.wasm");
  const native = join(folder.path, "compute");
  await compileC("test/wasm/compute.c", module);
  await run("clang", ["-O2", "-o", native, join(root, "test/wasm/compute.c")]);
  const best = async (command: string, args: string[]) =>
    Number((await run(command, args)).split(" ")[0]);
  const baseline = { name: "native, clang -O2", value: await best(native, []) };
  const row = { unit: "ms", baseline, better: "lower" as const };
  const optimized = ["--no-liftoff", "--no-wasm-tier-up", "--no-wasm-lazy-compilation"];
  const ours = (...flags: string[]) =>
    best(process.execPath, folder.command(built, { module }, ...flags));
  yield { ...row, name: "wasm compute, best turn", value: await ours() };
  yield { ...row, name: "wasm compute, optimized first", value: await ours(...optimized) };
}

/** Makes handlers that sleep, from a number on. */
async function makeSleepers(site: Site, from: number, count: number) {
  const objects = Array.from({ length: count }, (_, i) => {
    const [name, labels] = [`sleeper-${from + i}`, { app: `sleeper-${from + i}` }];
    const containers = [{ name: "main", image: "web:1" }];
    return [
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name },
        spec: {
          replicas: 0,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { runtimeClassName: "wasm", containers } },
        },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, annotations: { "kerb.dev/scale-to-zero": name } },
        spec: { ports: [{ port: 80, targetPort: 8080 }] },
      },
    ];
  }).flat();
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  await site.kubectl(["create", "-f", "-"], { input, timeoutMs: 600_000 });
  const served = async () => {
    const slices = await site.kubectl(["get", "endpointslices", "-o", "name"]);
    return (slices.match(/sleeper-\d+-activator/g) ?? []).length === from + count;
  };
  while (!(await served())) await setTimeout(500);
}

/** What handlers that sleep cost a Kerb that sleeps as well, with their Services and Deployments. */
async function* benchSleepers(site: Site, count: number, quietMs: number): Rows {
  const first = Math.ceil(count / 5);
  const quiet = async () => {
    await setTimeout(quietMs);
    return privateMiB(site.pid);
  };
  const before = await quiet();
  await makeSleepers(site, 0, first);
  const some = (await quiet()) - before;
  await makeSleepers(site, first, count - first);
  const value = (await quiet()) - before;
  const name = `Kerb's growth by ${count} sleeping handlers`;
  const baseline = { name: `by the first ${first}`, value: some };
  yield { name, value, unit: "MiB", baseline, better: "lower", target: 100 };
}

export async function* benchWasm(site: Site, isTiny: boolean): Rows {
  const folder = new Folder(site);
  const module = join(folder.path, "probe.wasm");
  await compileC("test/wasm/probe.c", module, "-s");
  yield* benchFirstOutput(folder, module, isTiny ? 2 : 20);
  yield* benchPods(site, module, isTiny ? 1 : 10);
  yield* benchMemory(folder, module);
  yield* benchKill(folder, module, isTiny ? 1 : 10);
  yield* benchHttp(folder, isTiny ? 800 : 20_000);
  yield* benchCompute(folder);
  yield* benchSleepers(site, isTiny ? 20 : 1000, isTiny ? 100 : 40_000);
}
