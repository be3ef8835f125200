// Leaf devices: how soon a broker follows its device, what a thousand devices cost, and slots under contention.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Claims } from "../src/devices/plugins/claims.ts";
import { Fresh } from "../src/devices/plugins/fresh.ts";
import type {
  Device,
  DiscoverRequest,
  DiscoveryHandler,
} from "../src/devices/discovery/handler.ts";
import { InstancePlugin } from "../src/devices/plugins/instance-plugin.ts";
import { configurations } from "../src/devices/kinds/configuration.ts";
import { instances } from "../src/devices/kinds/instance.ts";
import type { Instance } from "../src/devices/kinds/instance.ts";
import { slotName } from "../src/devices/plugins/slots.ts";
import { startDeviceCluster } from "../test/support/devices.ts";
import { importBusybox } from "../test/support/image.ts";
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { openApi } from "./api-load.ts";
import { percentile } from "./row.ts";
import type { Rows } from "./row.ts";

const namespace = "default";
const pods = "/api/v1/namespaces/default/pods";

const container = {
  name: "main",
  image: "docker.io/library/busybox:kerb",
  command: ["sleep", "1000"],
};

const lamp = {
  apiVersion: "akri.sh/v0",
  kind: "Configuration",
  metadata: { name: "lamp" },
  spec: {
    discoveryHandler: { name: "debugEcho", discoveryDetails: "descriptions: [lamp]" },
    brokerSpec: {
      brokerPodSpec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ ...container, resources: { limits: { "{{PLACEHOLDER}}": "1" } } }],
      },
    },
  },
};

/** Milliseconds until a watch of the brokers shows what is waited for. */
function until(site: Site, cause: () => void, holds: (event: any) => boolean): Promise<number> {
  const api = openApi(site.kubeconfig, 1);
  return new Promise((resolve) => {
    let rest = "";
    let began = 0;
    const path = `${pods}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;
    const stop = api.stream(path, (chunk) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop()!;
      for (const event of lines.filter(Boolean).map((line) => JSON.parse(line))) {
        if (event.type === "BOOKMARK" && began === 0) {
          began = performance.now();
          cause();
        } else if (began > 0 && holds(event)) {
          stop();
          api.close();
          return resolve(performance.now() - began);
        }
      }
    });
  });
}

const isRunning = ({ object }: any) => object.status?.phase === "Running";
const isGone = ({ type }: any) => type === "DELETED";

async function* benchBroker(runs: number): Rows {
  const site = await startSite("--name", "leaf", "--devices");
  try {
    await importBusybox(site);
    const file = join(site.directory, "devices/debug-echo-availability.txt");
    writeFileSync(file, "OFFLINE");
    await site.apply(JSON.stringify(lamp));
    const come: number[] = [];
    const gone: number[] = [];
    const plain: number[] = [];
    const api = openApi(site.kubeconfig, 1);
    for (let i = 0; i < runs; i++) {
      come.push(await until(site, () => writeFileSync(file, "ONLINE"), isRunning));
      gone.push(await until(site, () => writeFileSync(file, "OFFLINE"), isGone));
      const spec = { terminationGracePeriodSeconds: 0, containers: [container] };
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: `plain-${i}` }, spec };
      const create = () => void api.request("POST", pods, Buffer.from(JSON.stringify(pod)));
      plain.push(await until(site, create, isRunning));
      await api.request("DELETE", `${pods}/plain-${i}?gracePeriodSeconds=0`);
    }
    api.close();
    const start = percentile(plain, 0.5);
    const better = "lower" as const;
    yield {
      name: "device seen to broker Running, p50",
      value: percentile(come, 0.5),
      unit: "ms",
      baseline: { name: "a plain pod", value: start },
      better,
      target: 1000,
    };
    yield {
      name: "device lost to broker gone, p50",
      value: percentile(gone, 0.5),
      unit: "ms",
      better,
      target: 1000,
    };
  } finally {
    await site.remove();
  }
}

const device = (i: number): Device => ({
  id: `device-${i}`,
  properties: { NUMBER: String(i) },
  mounts: [],
  nodes: [],
});

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** What is only held weakly goes with the second or third time. */
const heapMiB = () => {
  for (let i = 0; i < 3; i++) collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

/** All that a node's search costs, the objects in the store among it. */
async function* benchMany(count: number): Rows {
  const cluster = await startDeviceCluster();
  let tell = () => {};
  const many: DiscoveryHandler = {
    name: "many",
    shared: true,
    async *discover({ signal }: DiscoverRequest) {
      while (!signal.aborted) {
        yield Array.from({ length: count }, (_, i) => device(i));
        await new Promise<void>((resolve) => (tell = resolve));
      }
    },
  };
  const before = heapMiB();
  await cluster.addNode("a", { handlers: [many] });
  await cluster.client.create(
    { ...configurations, namespace },
    {
      apiVersion: "akri.sh/v0",
      kind: "Configuration",
      metadata: { name: "many" },
      spec: { discoveryHandler: { name: "many" } },
    },
  );
  // Digests of three bytes: of a thousand devices one may be refused.
  const least = count * 0.99;
  await cluster.until(instances, (all) => all.length >= least);
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5000));
  await settle();
  const extra = heapMiB() - before;
  const began = process.cpuUsage();
  tell();
  await settle();
  const { user, system } = process.cpuUsage(began);
  await cluster.scope.close();
  const better = "lower" as const;
  yield {
    name: `a look at ${count} devices`,
    value: (user + system) / 1000,
    unit: "ms CPU",
    better,
    target: 200,
  };
  yield {
    name: `a node's search for ${count} devices`,
    value: extra,
    unit: "MiB",
    better,
    target: 30,
  };
}

async function* benchSlots(claims: number, slots: number): Rows {
  const cluster = await startDeviceCluster();
  const { client, clock } = cluster;
  const name = "cam-8120fe";
  const cdiName = "akri.sh/cam=8120fe";
  const spec = { configurationName: "cam", cdiName, capacity: slots, nodes: ["a"] };
  const instance = await client.create<Instance>(
    { ...instances, namespace },
    { apiVersion: "akri.sh/v0", kind: "Instance", metadata: { name }, spec },
  );
  const granted = new Map<string, string[]>();
  const began = performance.now();
  await Promise.all(
    Array.from({ length: claims }, async (_, i) => {
      const node = `node-${i}`;
      const parts = { node, claims: new Claims(client, node), deviceOf: () => undefined };
      const fresh = new Fresh(clock, 0);
      const plugin = new InstancePlugin(`akri.sh/${name}`, instance, { ...parts, fresh });
      const id = slotName(name, i % slots);
      await plugin.allocate([id]).then(
        () => granted.set(id, [...(granted.get(id) ?? []), node]),
        () => {},
      );
    }),
  );
  const ms = performance.now() - began;
  await cluster.scope.close();
  const twice = [...granted.values()].filter((nodes) => nodes.length > 1).length;
  if (twice > 0 || granted.size !== slots) {
    throw new Error(`${twice} slots were given twice, ${granted.size} of ${slots} at all`);
  }
  const better = "lower" as const;
  yield { name: `${claims} claims for ${slots} slots, none twice`, value: ms, unit: "ms", better };
}

export async function* benchDevices({ runs, devices }: { runs: number; devices: number }): Rows {
  yield* benchBroker(runs);
  yield* benchMany(devices);
  yield* benchSlots(100, 10);
}
