// The process is killed under load again and again, then everything is gone as after a power cut. The
// ledger of acknowledged writes is kept here, outside the site, and is compared with what came back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { run } from "../support/command.ts";
import { importBusybox } from "../support/image.ts";
import { root, startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";
import { join } from "node:path";

const kills = 20;
let site: Site;

before(async () => {
  site = await startSite("--name", "crash");
  await importBusybox(site);
  await site.apply(readFileSync(join(root, "examples/web.yaml"), "utf8"));
  await site.kubectl(["rollout", "status", "deployment/web", "--timeout=120s"]);
});
after(() => site.remove());

/** Creates ConfigMaps as fast as it can until told to stop; notes each name once it is acknowledged. */
class Writer {
  readonly acknowledged = new Set<string>();
  #stopped = false;
  readonly #agent: Agent;
  readonly #done: Promise<void>;

  constructor(port: number, kubeconfig: string, label: string) {
    const config = parse(readFileSync(kubeconfig, "utf8"));
    const plain = (text: string) => Buffer.from(text, "base64").toString();
    const { user } = config.users[0];
    this.#agent = new Agent({
      keepAlive: true,
      ca: plain(config.clusters[0].cluster["certificate-authority-data"]),
      cert: plain(user["client-certificate-data"]),
      key: plain(user["client-key-data"]),
    });
    this.#done = this.#write(port, label);
  }

  async stop() {
    this.#stopped = true;
    await this.#done;
    this.#agent.destroy();
  }

  async #write(port: number, label: string) {
    for (let i = 0; !this.#stopped; i++) {
      const name = `${label}-${i}`;
      if (await this.#create(port, name)) this.acknowledged.add(name);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** True when the server said 201; false for anything else, a cut connection included. */
  #create(port: number, name: string): Promise<boolean> {
    return new Promise((resolve) => {
      const path = "/api/v1/namespaces/default/configmaps";
      const headers = { "content-type": "application/json" };
      const call = request({
        host: "127.0.0.1",
        port,
        path,
        method: "POST",
        headers,
        agent: this.#agent,
      });
      call.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode === 201));
        response.on("error", () => resolve(false));
      });
      call.on("error", () => resolve(false));
      call.end(
        JSON.stringify({
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name, labels: { ledger: "yes" } },
        }),
      );
    });
  }
}

async function containers(): Promise<Map<string, { id: string; restarts: number; ip: string }>> {
  const { items } = await site.get("pods", "-l", "app=web");
  return new Map(
    items.map((pod: any) => {
      const [status] = pod.status.containerStatuses;
      const seen = { id: status.containerID, restarts: status.restartCount, ip: pod.status.podIP };
      return [pod.metadata.name, seen];
    }),
  );
}

async function assertLedger(writers: Writer[]) {
  const { items } = await site.get("configmaps", "-l", "ledger=yes");
  const stored = new Set(items.map((item: any) => item.metadata.name));
  const lost = writers.flatMap((w) => [...w.acknowledged]).filter((name) => !stored.has(name));
  assert.deepEqual(lost, []);
}

test("twenty kills under a write load lose no acknowledged write and restart no container", async () => {
  const before = await containers();
  assert.equal(before.size, 3);
  const writers = Array.from(
    { length: 8 },
    (_, i) => new Writer(site.port, site.kubeconfig, `w${i}`),
  );
  for (let i = 0; i < kills; i++) {
    await new Promise((resolve) => setTimeout(resolve, 300 + ((i * 97) % 400)));
    process.kill(site.pid, "SIGKILL");
    await site.up();
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  const total = writers.reduce((sum, writer) => sum + writer.acknowledged.size, 0);
  assert.ok(total > kills * 10, `only ${total} writes were acknowledged`);
  await assertLedger(writers);
  assert.deepEqual(await containers(), before);
});

test("a watch resumes from its last revision after a kill", async () => {
  const { metadata } = await site.get("configmaps");
  process.kill(site.pid, "SIGKILL");
  await site.up();
  await site.kubectl(["create", "configmap", "after-kill"]);
  const path = `/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`;
  const events = (await site.kubectl(["get", "--raw", path]))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.ok(events.some((e) => e.type === "ADDED" && e.object.metadata.name === "after-kill"));
});

test("after a power cut pods, ClusterIPs and volumes come back as they were", async () => {
  const pods = await containers();
  const service = await site.get("service", "web");
  const names = [...pods.keys()].sort();
  await site.kubectl(["exec", names[0]!, "--", "true"]);
  process.kill(site.pid, "SIGKILL");
  await powerCut();
  await site.up();
  await site.kubectl(["wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=120s"]);
  assert.deepEqual([...(await containers()).keys()].sort(), names, "the same pods");
  const again = await site.get("service", "web");
  assert.equal(again.spec.clusterIP, service.spec.clusterIP);
  const page = await run("curl", [
    "-fsS",
    "--max-time",
    "5",
    "--retry",
    "5",
    "--retry-all-errors",
    `http://${again.spec.clusterIP}/`,
  ]);
  assert.match(page, /hello from the edge/);
});

/** Kills every process that lives from this site's folder: containerd, its shims and all containers. */
async function powerCut() {
  const pattern = site.directory;
  const shims = (await run("pgrep", ["-f", pattern])).trim().split("\n").map(Number);
  const children = new Set<number>();
  const collect = async (pid: number) => {
    children.add(pid);
    const listed = await run("sh", ["-c", `pgrep -P ${pid} || true`]);
    for (const child of listed.trim().split("\n").filter(Boolean)) await collect(Number(child));
  };
  for (const pid of shims) if (pid !== process.pid) await collect(pid);
  for (const pid of children) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Already gone with its parent.
    }
  }
}
