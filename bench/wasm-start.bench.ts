// What a cached pod of a module takes from the moment that it is created to its first output, beside a pod of the same
// program in native code on the same site; and where that time goes.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ociArchive } from "../src/containers/oci-archive.ts";
import { ociArchitecture } from "../src/containers/pause.ts";
import { run } from "../test/support/command.ts";
import { root } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { compileC } from "../test/support/wasm-module.ts";
import { openApi } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { percentile } from "./row.ts";
import type { Row, Rows } from "./row.ts";

const pods = "/api/v1/namespaces/default/pods";
/** After a start, so that what is made ready for the next is there. */
const restMs = 4000;

let users = 1000;
const kinds = {
  warm: () => ({ runtimeClassName: "wasm", image: "module:1" }),
  // No runner is ready for a user who never had a pod.
  cold: () => ({ ...kinds.warm(), securityContext: { runAsUser: users++ } }),
  native: () => ({ image: "native:1" }),
};
type Kind = keyof typeof kinds;

function podOf(name: string, kind: Kind): Buffer {
  const { image, ...spec }: { image: string } = kinds[kind]();
  // Its share of a busy machine is that of who measures.
  const resources = { requests: { cpu: "500m" } };
  const main = { name: "main", image, args: ["say", "x"], resources };
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { restartPolicy: "Never", containers: [main], ...spec },
  };
  return Buffer.from(JSON.stringify(pod));
}

/** When its first line was written, by the log itself. */
async function firstOutput(site: Site, name: string): Promise<number> {
  const logs = join(site.directory, "logs");
  for (;;) {
    await setTimeout(5);
    const folder = readdirSync(logs).find((one) => one.startsWith(`default_${name}_`));
    const log = folder && join(logs, folder, "main/0.log");
    if (!log || !existsSync(log)) continue;
    const time = readFileSync(log, "utf8").split(" ")[0];
    if (time) return Date.parse(time);
  }
}

interface Phases {
  /** Until the API server answered. */
  created: number;
  /** Until the scheduler's word was seen by a watch. */
  bound: number;
  output: number;
}

const now = () => performance.timeOrigin + performance.now();

function untilBound(api: Api, name: string): Promise<number> {
  return new Promise((resolve) => {
    const path = `${pods}?watch=1&fieldSelector=metadata.name%3D${name}`;
    const stop = api.stream(path, (chunk) => {
      if (!chunk.includes('"nodeName"')) return;
      stop();
      resolve(now());
    });
  });
}

async function started(site: Site, api: Api, name: string, kind: Kind): Promise<Phases> {
  const bound = untilBound(api, name);
  await api.read("/version");
  const began = now();
  const status = await api.request("POST", pods, podOf(name, kind));
  if (status !== 201) throw new Error(`the pod ${name} was answered by ${status}`);
  const created = now() - began;
  const output = (await firstOutput(site, name)) - began;
  const phases = { created, bound: (await bound) - began, output };
  await api.request("DELETE", `${pods}/${name}?gracePeriodSeconds=0`);
  await setTimeout(restMs);
  return phases;
}

async function importPrograms(site: Site) {
  const module = join(site.directory, "probe.wasm");
  const native = join(site.directory, "probe");
  await compileC("test/wasm/probe.c", module, "-s");
  await run("clang", ["-O2", "-static", "-o", native, join(root, "test/wasm/probe.c")]);
  for (const [name, file] of [
    ["module", module],
    ["native", native],
  ] as const) {
    const archive = ociArchive({
      name: `docker.io/library/${name}:1`,
      architecture: ociArchitecture(process.arch),
      files: [{ path: "probe.wasm", data: readFileSync(file), mode: 0o755 }],
      entrypoint: ["/probe.wasm"],
    });
    const tar = join(site.directory, `${name}.tar`);
    writeFileSync(tar, archive);
    await site.kerb("image", "import", tar);
  }
}

function rowsOf({ warm, cold, native }: Record<Kind, Phases[]>): Row[] {
  const median = (all: Phases[], phase: keyof Phases) =>
    percentile(
      all.map((one) => one[phase]),
      0.5,
    );
  const row = (name: string, all: Phases[], phase: keyof Phases, target?: number): Row => {
    const baseline = { name: "pod of the same program", value: median(native, phase) };
    const value = median(all, phase);
    return { name, value, unit: "ms", baseline, better: "lower", ...(target && { target }) };
  };
  return [
    row("wasm pod, created to first output, warm", warm, "output", 20),
    row("the same, cold", cold, "output", 100),
    row("of the warm one, until the API server answered", warm, "created"),
    row("of the warm one, until a watch saw it bound", warm, "bound"),
  ];
}

export async function* benchWasmStart(site: Site, runs: number): Rows {
  await importPrograms(site);
  const api = openApi(site.kubeconfig, 2);
  const found: Record<Kind, Phases[]> = { warm: [], cold: [], native: [] };
  // The first of each reads its image, and is no cached pod.
  for (let i = -1; i < runs; i++) {
    for (const kind of Object.keys(kinds) as Kind[]) {
      const phases = await started(site, api, `${kind}-${i + 1}`, kind);
      if (i >= 0) found[kind].push(phases);
    }
  }
  api.close();
  yield* rowsOf(found);
}
