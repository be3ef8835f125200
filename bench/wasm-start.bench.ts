// What a container of a module costs from the moment that the runtime is asked for it to its first output, beside a
// container of the same program, in pods that are there already, on one containerd.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { importArchive, ensurePauseImage } from "../src/containers/images.ts";
import { ociArchive } from "../src/containers/oci-archive.ts";
import { ociArchitecture } from "../src/containers/pause.ts";
import { startContainerd, stopContainerd } from "../src/containers/containerd.ts";
import { writeHandlerBinary } from "../src/containers/handler-binary.ts";
import { connectContainerd } from "../src/containers/runtime.ts";
import type { ContainerdRuntime } from "../src/containers/runtime.ts";
import { holdOpen, systemClock } from "../src/lib/clock.ts";
import { Scope } from "../src/lib/scope.ts";
import { silent } from "../src/lib/log.ts";
import type { ContainerConfig, SandboxConfig } from "../src/node/runtime.ts";
import { preparingAhead } from "../src/containers/preparing-ahead.ts";
import { run } from "../test/support/command.ts";
import { root } from "../test/support/site.ts";
import { compileC } from "../test/support/wasm-module.ts";
import { percentile } from "./row.ts";
import type { Row, Rows } from "./row.ts";

const binary = "/usr/bin/containerd";
const runc = "/usr/sbin/runc";
const prepare = join(root, "dist/wasm-prepare.cjs");

const cgroup = `kerb-bench-${process.pid}`;
/** Of every controller, innermost first. */
const removeCgroups = () =>
  run("find", ["/sys/fs/cgroup", "-depth", "-path", `*/${cgroup}*`, "-type", "d", "-delete"]);

const sandboxOf = (name: string, handler: string, directory: string): SandboxConfig => ({
  podUid: name,
  namespace: "default",
  name,
  attempt: 0,
  hostname: "",
  labels: {},
  annotations: {},
  hostNetwork: true,
  hostPid: false,
  hostIpc: false,
  shareProcessNamespace: false,
  dns: { servers: [], searches: [], options: [] },
  sysctls: {},
  portMappings: [],
  logDirectory: join(directory, "logs", name),
  cgroupParent: `/${cgroup}/${name}`,
  securityContext: {},
  handler,
});

const containerOf = (image: string): ContainerConfig => ({
  name: "main",
  attempt: 0,
  image,
  imageRef: image,
  command: [],
  args: ["say", "x"],
  workingDir: "",
  env: [],
  mounts: [],
  devices: [],
  labels: {},
  annotations: {},
  logPath: "main/0.log",
  stdin: false,
  stdinOnce: false,
  tty: false,
  resources: { cpuShares: 10, memoryBytes: 64 * 2 ** 20 },
  securityContext: {},
});

/** Resolves when something lies in the file, in a folder that is there. */
function untilWritten(file: string): Promise<void> {
  const isWritten = () => existsSync(file) && readFileSync(file).length > 0;
  return new Promise((resolve) => {
    const watcher = watch(dirname(file), () => {
      if (!isWritten()) return;
      watcher.close();
      resolve();
    });
  });
}

interface Phases {
  sandbox: number;
  create: number;
  start: number;
  /** From the first call for the container to its first line. */
  output: number;
}

async function started(
  runtime: ContainerdRuntime,
  directory: string,
  { name, handler, image }: { name: string; handler: string; image: string },
): Promise<Phases> {
  const sandbox = sandboxOf(name, handler, directory);
  const config = containerOf(image);
  const log = join(sandbox.logDirectory, config.logPath);
  mkdirSync(dirname(log), { recursive: true });
  const began = performance.now();
  const sandboxId = await runtime.runSandbox(sandbox);
  const asked = performance.now();
  const written = untilWritten(log);
  const id = await runtime.createContainer(sandboxId, config, sandbox);
  const created = performance.now();
  const running = runtime.startContainer(id).then(() => performance.now());
  await written;
  const output = performance.now() - asked;
  const start = (await running) - created;
  await runtime.stopSandbox(sandboxId);
  await runtime.removeSandbox(sandboxId);
  return { sandbox: asked - began, create: created - asked, start, output };
}

async function images(directory: string) {
  const module = join(directory, "probe.wasm");
  const native = join(directory, "probe");
  await compileC("test/wasm/probe.c", module, "-s");
  await run("clang", ["-O2", "-static", "-o", native, join(root, "test/wasm/probe.c")]);
  const image = (name: string, file: string) =>
    ociArchive({
      name: `docker.io/library/${name}:1`,
      architecture: ociArchitecture(process.arch),
      files: [{ path: "probe.wasm", data: readFileSync(file), mode: 0o755 }],
      entrypoint: ["/probe.wasm"],
    });
  for (const [name, file] of [
    ["module", module],
    ["native", native],
  ] as const) {
    const archive = join(directory, `${name}.tar`);
    writeFileSync(archive, image(name, file));
    await importArchive(directory, archive);
  }
}

const nameOf = (kind: string, i: number) => `${kind}-${i}`;

/** By kind of container, the phases of each start. */
async function measured(runtime: ContainerdRuntime, directory: string, runs: number) {
  const kinds = {
    warm: { handler: "wasm", image: "module:1" },
    cold: { handler: "cold", image: "module:1" },
    native: { handler: "", image: "native:1" },
  };
  const found: Record<keyof typeof kinds, Phases[]> = { warm: [], cold: [], native: [] };
  for (let i = 0; i < runs; i++) {
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
      const wanted = { name: nameOf(kind, i), ...kinds[kind] };
      found[kind].push(await started(runtime, directory, wanted));
    }
  }
  return found;
}

function rowsOf({ warm, cold, native }: Awaited<ReturnType<typeof measured>>): Row[] {
  const median = (all: Phases[], phase: keyof Phases) =>
    percentile(
      all.map((one) => one[phase]),
      0.5,
    );
  const row = (name: string, all: Phases[], phase: keyof Phases, target?: number): Row => {
    const baseline = { name: "container of the same program", value: median(native, phase) };
    const value = median(all, phase);
    return { name, value, unit: "ms", baseline, better: "lower", ...(target && { target }) };
  };
  return [
    row("wasm container, asked for to first output, warm", warm, "output", 20),
    row("the same, cold", cold, "output", 100),
    row("of the warm one, CRI's create", warm, "create"),
    row("of the warm one, CRI's start to its answer", warm, "start"),
    row("its pod's sandbox, without a network", warm, "sandbox"),
  ];
}

export async function* benchWasmStart(runs: number): Rows {
  const release = holdOpen();
  const scope = new Scope();
  const directory = mkdtempSync("/tmp/kerb-bench-");
  const [components, ask] = [join(directory, "components"), join(directory, "bundles")];
  const handler = (name: string, more: object = {}) =>
    writeHandlerBinary(directory, { name, prepare, args: [components], ...more }, runc);
  const handlers = { wasm: handler("wasm", { ask }), cold: handler("cold") };
  await startContainerd(
    { binary, runc, cniPlugins: "/usr/lib/cni", directory, handlers },
    systemClock,
  );
  const connected = await connectContainerd(directory, silent);
  const program = [prepare, "--wait", ask, components];
  const runtime = preparingAhead(connected, { handlers: ["wasm"], ask, program, scope });
  try {
    await ensurePauseImage(directory, runtime);
    await images(directory);
    await measured(runtime, directory, 1);
    yield* rowsOf(await measured(runtime, directory, runs));
  } finally {
    await scope.close();
    await runtime.close();
    await stopContainerd(directory, systemClock);
    await removeCgroups();
    rmSync(directory, { recursive: true, force: true });
    release();
  }
}
