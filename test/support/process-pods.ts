// Pods of modules without a site around them, behind the walls of every such pod: for tests that put another program
// into the place of the runner.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { systemRandom } from "../../src/lib/random.ts";
import { containerCgroups } from "../../src/node/machine/container-cgroups.ts";
import { systemCgroups } from "../../src/node/machine/cgroups.ts";
import type { Cgroups } from "../../src/node/machine/cgroups.ts";
import type { Pod } from "../../src/node/pods/pod.ts";
import type { ContainerConfig, Runtime, SandboxConfig } from "../../src/node/runtime.ts";
import { ownRunner } from "../../src/wasm/own-runner.ts";
import { openKernel } from "../../src/wasm/pods/kernel.ts";
import type { ProcessPrograms, RunnerKind } from "../../src/node/process-programs.ts";
import { ModulePrograms } from "../../src/wasm/pods/module-programs.ts";
import { Modules } from "../../src/wasm/pods/modules.ts";
import type { Networks } from "../../src/wasm/pods/networks.ts";
import { Places } from "../../src/wasm/pods/places.ts";
import { ProcessPods } from "../../src/wasm/pods/runtime.ts";
import { Runners } from "../../src/wasm/pods/runners.ts";
import { run, runToEnd } from "./command.ts";

const cgroup = "kerb-walls";
const dropper = "/usr/bin/setpriv";

/** `_start`, which does nothing, and an import that asks for a network, or none. */
function smallestModule({ network }: { network: boolean }): Buffer {
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
  const imports = [1, ...text("wasi_experimental_http"), ...text("close"), 0, 0];
  return Buffer.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 0),
    ...(network ? section(2, ...imports) : []),
    ...section(3, 1, 1),
    ...section(5, 1, 0, 1),
    ...section(7, 2, ...text("_start"), 0, Number(network), ...text("memory"), 2, 0),
    ...section(10, 1, 2, 0, 0x0b),
  ]);
}

const networks: Networks = {
  async make(id) {
    await run("ip", ["netns", "add", id]);
    return `/run/netns/${id}`;
  },
  async connect(id) {
    await run("ip", ["-n", id, "link", "set", "lo", "up"]);
    return [];
  },
  async remove(id) {
    await runToEnd("ip", ["netns", "delete", id]);
  },
  dial: () => Promise.reject(new Error("nobody is dialled here")),
};

/** Images that all hold one module. */
function imagesIn(folder: string): Runtime {
  const config = { entrypoint: ["/module.wasm"], cmd: [], env: [], workingDir: "", user: "" };
  const images: Partial<Runtime> = {
    imageConfig: async (id) => ({ ...config, id, imageId: id }),
    viewImage: async (_, ref) => ({ type: "none", source: join(folder, ref), options: ["bind"] }),
    dropView: async () => {},
  };
  return images as Runtime;
}

async function librariesOf(program: string): Promise<string[]> {
  const said = await run("ldd", [program]);
  return [...said.matchAll(/(\/\S+)/g)].map((match) => realpathSync(match[1]!));
}

const newId = () => `${systemRandom.uuid()}${systemRandom.uuid()}`.replaceAll("-", "");

export interface RunOptions {
  env: Record<string, string>;
  /** Whether its module asks for sockets. */
  network: boolean;
  memoryBytes?: number;
  securityContext?: Record<string, unknown>;
  /** A folder of the machine that it is given as `/data`. */
  volume?: string;
  /** As who fills disks, it may start programs. */
  isOfDisks?: boolean;
}

const ofDisks = (kind: RunnerKind): RunnerKind => ({ ...kind, program: "disk" });

/** The same, behind the walls of who fills disks. */
const asOfDisks = (programs: ProcessPrograms): ProcessPrograms => ({
  suits: (config) => programs.suits(config),
  likelyKind: () => undefined,
  lackImages: (config) => programs.lackImages(config),
  async kind(config) {
    const kind = await programs.kind(config);
    return kind && ofDisks(kind);
  },
  async plan(config, sandbox) {
    const plan = await programs.plan(config, sandbox);
    return { ...plan, kind: ofDisks(plan.kind) };
  },
});

/** A site's runtime of modules, and below it another program than the site's own. */
export class ProcessPodsAlone {
  readonly folder: string;
  /** Theirs: what they do every while they do when it is advanced. */
  readonly clock: FakeClock;
  readonly places: Places;
  readonly pods: ProcessPods;
  readonly #cgroups: Cgroups;

  private constructor(options: {
    folder: string;
    clock: FakeClock;
    places: Places;
    pods: ProcessPods;
    cgroups: Cgroups;
  }) {
    ({ folder: this.folder, clock: this.clock, places: this.places, pods: this.pods } = options);
    this.#cgroups = options.cgroups;
  }

  static async open(program: string): Promise<ProcessPodsAlone> {
    const folder = mkdtempSync(join(tmpdir(), "kerb-walls-"));
    const kernel = (await openKernel())!;
    const clock = new FakeClock(Date.parse("2026-01-01T00:00:00Z"));
    const places = new Places(join(folder, "pods"));
    const runner = { ...ownRunner(), executable: program };
    const tools = { executable: dropper, libraries: await librariesOf(dropper) };
    const cgroups = await containerCgroups();
    const components = join(folder, "components");
    const modules = new Modules({ folder: join(folder, "modules"), components }, imagesIn(folder));
    const ofModules = new ModulePrograms({ modules, components });
    const runnerOf = () => runner;
    const pods = new ProcessPods({
      ...{ places, kernel, networks, cgroups, newId, clock },
      runners: new Runners({ places, kernel, runnerOf, dropper: tools, cgroups, newId }),
      programsOf: (handler) => (handler === "wasm" ? ofModules : asOfDisks(ofModules)),
      imagesAre: (ids) => modules.forgetOthers(ids),
      boot: "now",
      signalNumber: () => 15,
    });
    const elsewhere = (uid: string) => pods.cgroupOf(uid);
    const ofPods = await systemCgroups(cgroup, { elsewhere });
    return new ProcessPodsAlone({ folder, clock, places, pods, cgroups: ofPods });
  }

  /** Starts a pod of one module; resolves with the container's id and the file of its log. */
  async start(options: RunOptions) {
    const { env, network, memoryBytes, securityContext = {}, volume, isOfDisks } = options;
    const image = network ? "networked" : "alone";
    mkdirSync(join(this.folder, image), { recursive: true });
    writeFileSync(join(this.folder, image, "module.wasm"), smallestModule({ network }));
    const uid = systemRandom.uuid();
    const logDirectory = join(this.folder, "logs", uid);
    const lastWords = join(this.folder, `${uid}.termination`);
    writeFileSync(lastWords, "");
    const pod = {
      metadata: { uid, name: "walled" },
      spec: { containers: [{ name: "main", image }] },
    };
    const sandbox = {
      ...{ podUid: uid, namespace: "default", name: "walled", attempt: 0, hostname: "walled" },
      ...{ labels: {}, annotations: {}, sysctls: {}, portMappings: [], logDirectory },
      ...{ hostNetwork: false, hostPid: false, hostIpc: false, shareProcessNamespace: false },
      dns: { servers: ["127.0.0.1"], searches: [], options: [] },
      cgroupParent: this.#cgroups.pathOf(pod as unknown as Pod),
      securityContext,
      handler: isOfDisks ? "wasmtime" : "wasm",
      containers: pod.spec.containers,
    } satisfies SandboxConfig;
    const mount = (hostPath: string, containerPath: string) =>
      ({ hostPath, containerPath, readOnly: false, propagation: "None" }) as const;
    const config = {
      ...{ name: "main", attempt: 0, image, imageRef: image, command: [], args: [] },
      ...{ workingDir: "", devices: [], labels: {}, annotations: {}, logPath: "main/0.log" },
      ...{ stdin: false, stdinOnce: false, tty: false, securityContext },
      env: Object.entries(env).map(([name, value]) => ({ name, value })),
      mounts: [
        mount(lastWords, "/dev/termination-log"),
        ...(volume === undefined ? [] : [mount(volume, "/data")]),
      ],
      resources: memoryBytes === undefined ? {} : { memoryBytes },
    } satisfies ContainerConfig;
    const sandboxId = await this.pods.runSandbox(sandbox);
    if (sandboxId === undefined) return undefined;
    await this.#cgroups.prepare(pod as unknown as Pod);
    const id = await this.pods.createContainer(sandboxId, config, sandbox);
    await this.pods.startContainer(id);
    return { id, sandboxId, podUid: uid, log: join(logDirectory, config.logPath) };
  }

  async close() {
    for (const { sandboxes } of this.pods.pods().values())
      for (const { id } of sandboxes) await this.pods.removeSandbox(id);
    await this.pods.close();
    await this.#cgroups.removeRoot();
    await runToEnd("umount", ["--lazy", "--recursive", this.places.folder("seen")]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
