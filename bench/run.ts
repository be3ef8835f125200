// `npm run bench [-- NAME ...]`: the figures of Kerb on this machine, as ratios to a baseline measured in the
// same run where there is one. `--tiny` runs each with little work, to see that it still works.
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { benchDevices } from "./devices.bench.ts";
import { benchFlash } from "./flash.bench.ts";
import {
  benchFullNode,
  benchIdle,
  benchJoined,
  benchPods,
  benchStart,
  benchWings,
} from "./footprint.bench.ts";
import { benchPodStart } from "./pod-start.bench.ts";
import { benchList, benchWatch } from "./reads.bench.ts";
import { printRows } from "./row.ts";
import type { Row } from "./row.ts";
import { benchScheduler } from "./scheduler.bench.ts";
import { benchServices } from "./services.bench.ts";
import { benchVmMigration } from "./vm-migration.bench.ts";
import { benchVms } from "./vms.bench.ts";
import { benchWasm } from "./wasm.bench.ts";
import { benchWrites } from "./writes.bench.ts";

const tiny = process.argv.includes("--tiny");
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));

/** In this order: idle figures before anything has grown. */
const benches: Record<string, (site: Site) => Promise<Row[]>> = {
  start: (site) => benchStart(site, tiny ? 1 : 5),
  idle: (site) => benchIdle(site, tiny ? 5 : 180),
  joined: () => benchJoined(tiny ? 1000 : undefined),
  wings: () => benchWings(tiny ? 1000 : undefined),
  pods: (site) => benchPods(site, tiny ? 3 : 50),
  "full-node": (site) => benchFullNode(site, tiny ? 3 : 110),
  "pod-start": (site) => benchPodStart(site, tiny ? 2 : 15),
  watch: (site) => benchWatch(site, tiny ? 20 : 1000),
  writes: (site) => benchWrites(site, tiny ? 0.02 : 1),
  list: (site) => benchList(site, tiny ? 100 : 10_000),
  services: () => benchServices(tiny ? 10 : 1000),
  vms: () => benchVms(tiny ? 1 : 5),
  "vm-migration": () => benchVmMigration(tiny ? 1 : 6),
  flash: () => benchFlash(tiny ? 5 : 600),
  wasm: (site) => benchWasm(site, tiny),
  devices: () => benchDevices(tiny ? { runs: 1, devices: 20 } : { runs: 10, devices: 1000 }),
  scheduler: () => benchScheduler(tiny ? { nodes: 20, pods: 50 } : { nodes: 1000, pods: 5000 }),
};

const unknown = wanted.filter((name) => !benches[name]);
if (unknown.length > 0) {
  throw new Error(
    `no bench named ${unknown.join(", ")}; there are: ${Object.keys(benches).join(", ")}`,
  );
}
const rows: Row[] = [];
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.error(`measuring ${name} ...`);
  const site = await startSite("--name", "bench");
  try {
    rows.push(...(await bench(site)));
  } finally {
    await site.remove();
  }
}
printRows(rows);
