// `npm run density [-- --modules N --containers N]`: many modules beside containers on one node; Kerb is killed, and
// none of them restarts. Tells what they cost.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseCount } from "../../src/cli/up.ts";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { runner } from "../support/runner.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { compileC } from "../support/wasm-module.ts";

const { modules, containers, memory } = runner(
  "density",
  "Many modules beside containers on one node; Kerb is killed, and none of them restarts. Tells what " +
    "they cost. A few minutes.",
  { "--modules 10 --containers 5": "a small node" },
)
  .option("--modules <n>", "pods of a WebAssembly module", parseCount, 100)
  .option("--containers <n>", "pods of a container", parseCount, 50)
  .option("--memory <quantity>", "memory that each module may have; without it there is no limit")
  .parse()
  .opts<{ modules: number; containers: number; memory?: string }>();
const minutesMax = 15;

const deployment = (name: string, replicas: number, spec: object) =>
  JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 0, ...spec },
      },
    },
  });

/** Every container's id and restarts, by pod. */
async function containersOf(site: Site): Promise<Map<string, string>> {
  const { items } = await site.get("pods");
  return new Map(
    items.map(({ metadata, status }: any) => {
      const [one] = status.containerStatuses ?? [];
      return [metadata.name, `${one?.containerID} ${one?.restartCount}`];
    }),
  );
}

/** Mebibytes that the runners of modules share with nobody, and how many there are. */
function runners(): { count: number; privateMiB: number } {
  let [count, kib] = [0, 0];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (!command.startsWith("/.kerb/") || !command.includes("wasm-run.")) continue;
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      for (const [, size] of text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)) kib += Number(size);
      count += 1;
    } catch {
      // It has ended meanwhile.
    }
  }
  return { count, privateMiB: kib / 1024 };
}

/** Beside the machine's first node, whose places are counted, stands the second. */
const site = await startSite("--name", "dense", "--krustlet");
try {
  const folder = join(site.directory, "modules");
  mkdirSync(folder, { recursive: true });
  await compileC("test/wasm/probe.c", join(folder, "probe.wasm"));
  await site.kerb("image", "import", join(folder, "probe.wasm"), "--name", "probe:1");
  await importBusybox(site);
  const args = ["sleep", "1000000"];
  console.log(`starting ${modules} modules and ${containers} containers ...`);
  const began = performance.now();
  const tolerations = [{ key: "kubernetes.io/arch", operator: "Equal", value: "wasm32-wasi" }];
  const resources = memory === undefined ? {} : { limits: { memory } };
  const module = { name: "main", image: "probe:1", args: ["probe", ...args], resources };
  await site.apply(deployment("modules", modules, { tolerations, containers: [module] }));
  const plain = { name: "main", image: "busybox:kerb", command: args };
  await site.apply(deployment("plain", containers, { containers: [plain] }));
  for (const name of ["modules", "plain"]) {
    const wait = ["rollout", "status", `deployment/${name}`, `--timeout=${minutesMax}m`];
    await site.kubectl(wait, { timeoutMs: minutesMax * 60_000 });
  }
  console.log(
    `${modules} modules and ${containers} containers run after ${Math.round((performance.now() - began) / 1000)} s`,
  );
  // A process that has begun is up a moment later.
  await eventually(async () => runners().count >= modules, "all runners are up");
  const { count, privateMiB } = runners();
  console.log(`${count} runners, ${(privateMiB / count).toFixed(1)} MiB private each`);
  const before = await containersOf(site);
  assert.equal(before.size, modules + containers);
  console.log("killing Kerb ...");
  process.kill(site.pid, "SIGKILL");
  await site.up("--krustlet");
  await eventually(async () => {
    const { status } = await site.get("deployment", "modules");
    return status.readyReplicas === modules;
  }, "all are ready again");
  assert.deepEqual(await containersOf(site), before);
  console.log("Kerb was killed and came back; none restarted");
} finally {
  await site.remove();
}
