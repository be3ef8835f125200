// `npm run bench:link`: what being a member of a hub costs a site: memory, against a neighbour that is none; bytes on
// the link while nothing happens, and bytes of coming back after a cut, by how much changed meanwhile. Bytes are
// those of TCP, with 40 for the head of each segment.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { parseCount } from "../src/cli/up.ts";
import { httpsClient } from "../src/client/https.ts";
import type { Client } from "../src/client/client.ts";
import { parseKubeconfig } from "../src/client/kubeconfig.ts";
import { manifestWorks } from "../src/hub/kinds/resources.ts";
import { run } from "../test/support/command.ts";
import { residentBytes } from "../test/support/kube-apiserver.ts";
import { runner } from "../test/support/runner.ts";
import { kerb, startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { printRows, throughput } from "./row.ts";
import type { Rows } from "./row.ts";

const {
  seconds,
  works,
  cut: cutSeconds,
} = runner(
  "bench:link",
  "What being a member of a hub costs a site: memory, bytes on the link while nothing happens, and " +
    "bytes of coming back after a cut. With what is the default about eight minutes.",
  { "--seconds 30 --works 10": "a short look" },
)
  .option("--seconds <n>", "how long the link is idle", parseCount, 180)
  .option("--works <n>", "ManifestWorks that the site has", parseCount, 100)
  .option("--cut <seconds>", "how long the link is cut", parseCount, 20)
  .parse()
  .opts<{ seconds: number; works: number; cut: number }>();

const headBytes = 40;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A cable to `port` that counts, and can be cut. */
class Cable {
  bytes = 0;
  #isCut = false;
  readonly #sockets = new Set<Socket>();
  readonly #server;

  constructor(port: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) return near.destroy();
      const far = connect(port, "127.0.0.1");
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (chunk) => {
          // With the other side's acknowledgement.
          this.bytes += chunk.length + 2 * headBytes;
          to.write(chunk);
        });
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  async open() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#isCut = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }
}

const note = "x".repeat(2000);
const workOf = (i: number, round: number) => ({
  ...{ apiVersion: "work.open-cluster-management.io/v1", kind: "ManifestWork" },
  metadata: { name: `w${i}`, namespace: "farm" },
  spec: {
    workload: {
      manifests: [
        {
          ...{ apiVersion: "v1", kind: "ConfigMap", data: { round: String(round), note } },
          metadata: { name: `w${i}`, namespace: "default" },
        },
      ],
    },
  },
});

const give = (client: Client, count: number, round: number) =>
  throughput(16, count, async (i) => {
    const target = { ...manifestWorks, namespace: "farm", name: `w${i}` };
    await client.patch(target, "apply", workOf(i, round), { fieldManager: "bench", force: true });
  });

/** Until the site has said of every work that it is done as it is now. */
async function settled(client: Client) {
  for (;;) {
    const { items } = await client.list<any>({ ...manifestWorks, namespace: "farm" });
    const isDone = ({ metadata, status }: any) =>
      status?.conditions?.some(
        (one: any) =>
          one.type === "Applied" &&
          one.status === "True" &&
          one.observedGeneration === metadata.generation,
      );
    if (items.length > 0 && items.every(isDone)) return;
    await pause(200);
  }
}

const megabytes = (pid: number) => residentBytes([pid]) / 2 ** 20;

async function* measure(
  { hub, site, alone }: Record<"hub" | "site" | "alone", Site>,
  cable: Cable,
): Rows {
  const client = httpsClient(parseKubeconfig(readFileSync(hub.kubeconfig, "utf8")));
  const port = await cable.open();
  const words = (await hub.attachWords("farm")).map((word) =>
    word.replace(/\/\/.+/, `//127.0.0.1:${port}`),
  );
  await run(kerb, [...words, "--data-dir", site.directory], { timeoutMs: 60_000 });
  await pause(60_000);
  const memory = megabytes(site.pid) - megabytes(alone.pid);
  const name = "memory of the agent in a site";
  yield { name, value: memory, unit: "MiB", better: "lower", target: 10 };
  cable.bytes = 0;
  await pause(seconds * 1000);
  const idle = (cable.bytes * 8) / seconds / 1000;
  yield { name: "idle link", value: idle, unit: "kbit/s", better: "lower", target: 0.3 };
  await give(client, works, 0);
  await settled(client);
  for (const changed of [0, 1, Math.ceil(works / 5), works]) {
    await pause(5000);
    cable.cut();
    await give(client, changed, 1 + changed);
    await pause(cutSeconds * 1000);
    cable.bytes = 0;
    cable.mend();
    await settled(client);
    await pause(15_000);
    const name = `back after ${cutSeconds} s, ${changed} of ${works} works changed`;
    yield { name, value: cable.bytes / 1024, unit: "KiB", better: "lower" };
  }
  yield {
    name: `memory of the agent in a site, after ${works} works`,
    value: megabytes(site.pid) - megabytes(alone.pid),
    unit: "MiB",
    better: "lower",
  };
  client.close();
}

const hub = await startSite("--name", "centre", "--hub", "--no-node");
const [site, alone] = await Promise.all([
  startSite("--name", "farm", "--no-node"),
  startSite("--name", "alone", "--no-node"),
]);
const cable = new Cable(hub.port);
try {
  await printRows(measure({ hub, site, alone }, cable));
} finally {
  cable.close();
  await Promise.all([hub, site, alone].map((one) => one.remove()));
}
process.exit(0);
