// What `npm run bench` can measure, in this order: idle figures before anything has grown.
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { benchDevices } from "./devices.bench.ts";
import { benchFlash } from "./flash.bench.ts";
import { benchIdle, benchJoined, benchPods, benchStart, benchWings } from "./footprint.bench.ts";
import { benchFullNode } from "./full-node.bench.ts";
import { benchPodStart } from "./pod-start.bench.ts";
import { benchList, benchWatch } from "./reads.bench.ts";
import type { Rows } from "./row.ts";
import { benchScheduler } from "./scheduler.bench.ts";
import { benchServices } from "./services.bench.ts";
import { benchStore } from "./store.bench.ts";
import { benchVmImport } from "./vm-import.bench.ts";
import { benchVmMigration } from "./vm-migration.bench.ts";
import { benchVms } from "./vms.bench.ts";
import { benchWasm } from "./wasm.bench.ts";
import { benchWasmStart } from "./wasm-start.bench.ts";
import { benchWrites } from "./writes.bench.ts";

export interface Bench {
  measures: string;
  /** About how long, on two cores. */
  takes: string;
  /** Not among those that run where none is named. */
  onlyNamed?: boolean;
  /** With `tiny`, so little that it only shows that it works. */
  run(tiny: boolean): Rows;
}

/** On a site of its own, taken down behind it. */
const onSite = (bench: (site: Site, tiny: boolean) => Rows) =>
  async function* (tiny: boolean): Rows {
    const site = await startSite("--name", "bench");
    try {
      yield* bench(site, tiny);
    } finally {
      await site.remove();
    }
  };

export const benches: Record<string, Bench> = {
  start: {
    measures: "a site's start until it is Ready",
    takes: "15 s",
    run: onSite((site, tiny) => benchStart(site, tiny ? 1 : 5)),
  },
  idle: {
    measures: "an idle site's memory",
    takes: "1 min",
    run: onSite((site, tiny) => benchIdle(site, tiny ? 1000 : undefined)),
  },
  joined: {
    measures: "an idle joined node's memory",
    takes: "1 min",
    run: (tiny) => benchJoined(tiny ? 1000 : undefined),
  },
  wings: {
    measures: "memory that each wing adds to a site",
    takes: "6 min",
    run: (tiny) => benchWings(tiny ? 1000 : undefined),
  },
  pods: {
    measures: "50 pods of busybox until they are available, and the site's memory then",
    takes: "30 s",
    run: onSite((site, tiny) => benchPods(site, tiny ? 3 : 50)),
  },
  "full-node": {
    measures: "as many pods as a node takes until they are available, beside raw CRI calls",
    takes: "30 s",
    run: onSite((site, tiny) => benchFullNode(site, tiny ? 3 : 110)),
  },
  "pod-start": {
    measures: "a pod's start, beside raw CRI calls",
    takes: "15 s",
    run: onSite((site, tiny) => benchPodStart(site, tiny ? 2 : 15)),
  },
  watch: {
    measures: "a write until the last of 1,000 watchers has it",
    takes: "5 s",
    run: onSite((site, tiny) => benchWatch(site, tiny ? 20 : 1000)),
  },
  writes: {
    measures: "durable creates and status patches a second, beside etcd",
    takes: "20 s",
    run: onSite((site, tiny) => benchWrites(site, tiny ? 0.02 : 1)),
  },
  list: {
    measures: "a list of 10,000 pods, and the memory it takes",
    takes: "20 s",
    run: onSite((site, tiny) => benchList(site, tiny ? 100 : 10_000)),
  },
  store: {
    measures: "the store alone, beside raw lmdb",
    takes: "15 s",
    run: (tiny) => benchStore(tiny ? 0.01 : 1),
  },
  services: {
    measures: "rule updates and connections among 1,000 Services, beside nft and one Service",
    takes: "15 s",
    run: (tiny) => benchServices(tiny ? 10 : 1000),
  },
  vms: {
    measures: "a virtual machine's start and pause, beside raw QEMU",
    takes: "5 min",
    run: (tiny) => benchVms(tiny ? 1 : 9),
  },
  "vm-import": {
    measures: "a disk of 1 GiB that is imported, beside cp and a sync, and beside the disk alone",
    takes: "1 min",
    run: (tiny) => benchVmImport(tiny ? 1 : 9),
  },
  "vm-migration": {
    measures: "how long a guest stands still when it moves, beside raw QEMU",
    takes: "5 min",
    run: (tiny) => benchVmMigration(tiny ? 1 : 9),
  },
  flash: {
    measures: "what an idle site and an idle joined node write to disks of their own",
    takes: "22 min",
    run: (tiny) => benchFlash(tiny ? 5 : 600, tiny ? 1000 : undefined),
  },
  "flash-hour": {
    measures: "the same over a whole hour, so that what is written once an hour is in it",
    takes: "72 min",
    onlyNamed: true,
    run: (tiny) => benchFlash(tiny ? 5 : 3600, tiny ? 1000 : undefined),
  },
  wasm: {
    measures: "modules and components, beside node:wasi, a container, native code and plain Node",
    takes: "4 min",
    run: onSite(benchWasm),
  },
  "wasm-start": {
    measures: "a pod of a module until its first output, beside one of the same program",
    takes: "3 min",
    run: onSite((site, tiny) => benchWasmStart(site, tiny ? 1 : 10)),
  },
  devices: {
    measures: "a broker that follows its device, 1,000 devices, slots that many want",
    takes: "25 s",
    run: (tiny) => benchDevices(tiny ? { runs: 1, devices: 20 } : { runs: 10, devices: 1000 }),
  },
  scheduler: {
    measures: "5,000 pods scheduled onto 1,000 nodes",
    takes: "5 s",
    run: (tiny) => benchScheduler(tiny ? { nodes: 20, pods: 50 } : { nodes: 1000, pods: 5000 }),
  },
};
