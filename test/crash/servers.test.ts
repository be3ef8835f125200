// Three Kerb servers on one real etcd, and one of them killed every few seconds under load. The ledger of
// acknowledged writes is kept here. Half a minute in the common run; `npm run servers` takes five.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { resource } from "../../src/client/client.ts";
import type { Client } from "../../src/client/client.ts";
import { httpsClient } from "../../src/client/https.ts";
import { parseKubeconfig } from "../../src/client/kubeconfig.ts";
import { isStatus } from "../../src/lib/status-error.ts";
import { startEtcd } from "../support/etcd.ts";
import type { Etcd } from "../support/etcd.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const seconds = Number(process.env["KERB_SERVERS_SECONDS"] ?? 25);
const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };
const services = { ...resource("v1", "services"), namespace: "default" };
const label = { ledger: "yes" };
const labelSelector = "ledger=yes";

let etcd: Etcd;
let sites: Site[] = [];
let flags: string[];

before(async () => {
  etcd = await startEtcd();
  flags = ["--no-node", "--store", `etcd://${etcd.endpoint}`];
  const first = await startSite(...flags, "--name", "server-0");
  const token = ["--server-token-file", join(first.directory, "server-token")];
  flags.push(...token);
  const others = [1, 2].map((i) => startSite(...flags, "--name", `server-${i}`));
  sites = [first, ...(await Promise.all(others))];
});
after(async () => {
  for (const site of sites) await site.remove();
  await etcd.stop();
});

const clientOf = (site: Site) =>
  httpsClient(parseKubeconfig(readFileSync(site.kubeconfig, "utf8")), { requestMsMax: 60_000 });

/** Every server in turn, from one that the caller chooses; each call goes to the next. */
class Clients {
  readonly all = sites.map(clientOf);
  #turn: number;

  constructor(turn: number) {
    this.#turn = turn;
  }

  get next(): Client {
    return this.all[this.#turn++ % this.all.length]!;
  }

  /** Asks one server after another until one says something. */
  async ask<T>(call: (client: Client) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call(this.next);
      } catch (error) {
        if (!isSilence(error)) throw error;
        await setTimeout(50);
      }
    }
  }

  close() {
    for (const client of this.all) client.close();
  }
}

/** The server was gone or is going: what was asked may or may not have been done. */
const isSilence = (error: unknown) =>
  isStatus(error, "ServiceUnavailable", "Timeout", "TooManyRequests");

const notFound = (error: unknown) => {
  if (!isStatus(error, "NotFound")) throw error;
  return undefined;
};

/** Makes, changes and deletes ConfigMaps of its own, and knows what each must be. */
class Writer {
  /** By name; undefined for one that was deleted. Nothing else may stand there at the end. */
  readonly ledger = new Map<string, string | undefined>();
  acknowledged = 0;
  readonly #clients: Clients;
  readonly #name: string;

  constructor(index: number) {
    this.#name = `w${index}`;
    this.#clients = new Clients(index);
  }

  async run(until: () => boolean) {
    for (let i = 0; !until(); i++) {
      const name = `${this.#name}-${i % 5}`;
      const value = `${i}`;
      await this.#change(name, i % 13 === 12 ? undefined : value);
    }
    this.#clients.close();
  }

  /** Makes it so, whatever answers are lost; what was acknowledged must be read at once from another server. */
  async #change(name: string, value: string | undefined) {
    const target = { ...configMaps, name };
    const found = await this.#clients.ask((client) => client.get(target).catch(notFound));
    assert.equal(found?.["data"]?.value, this.ledger.get(name), `${name} is not what was written`);
    try {
      if (value === undefined) await this.#clients.next.delete(target).catch(notFound);
      else if (found) {
        await this.#clients.next.update(target, { ...found, data: { value } });
      } else {
        const metadata = { name, labels: label };
        const draft = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { value } };
        await this.#clients.next.create(configMaps, draft);
      }
      this.acknowledged += 1;
      this.ledger.set(name, value);
    } catch (error) {
      if (!isSilence(error)) throw error;
      const now = await this.#settled(name);
      assert.ok(now === value || now === this.ledger.get(name), `${name} became ${now}`);
      this.ledger.set(name, now);
    }
  }

  /**
   * What a write in doubt came to. A request that still travels when its server is dead goes with it; what etcd has of
   * it, however slowly it writes, is done before what it is given later.
   */
  async #settled(name: string) {
    await setTimeout(300);
    const later = { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "later-" } };
    await this.#clients.ask((client) => client.create(configMaps, later));
    const target = { ...configMaps, name };
    const found = await this.#clients.ask((client) => client.get(target).catch(notFound));
    return found?.["data"]?.value;
  }
}

/** Follows from one server to the next by its last revision, and notes the order. */
class Watcher {
  readonly seen: string[] = [];
  resumed = 0;
  readonly #clients: Clients;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(index: number, from: string) {
    this.#clients = new Clients(index);
    this.#running = this.#run(from);
  }

  async stop() {
    this.#stop.abort();
    await this.#running.catch(() => {});
    this.#clients.close();
  }

  async #run(from: string) {
    const { signal } = this.#stop;
    for (let resourceVersion = from; !signal.aborted; this.resumed++) {
      try {
        const options = { resourceVersion, labelSelector, signal, timeoutSeconds: 4 };
        for await (const { type, object } of this.#clients.next.watch(configMaps, options)) {
          if (type === "ERROR") throw new Error(`the watch broke: ${object.message}`);
          resourceVersion = object.metadata.resourceVersion;
          const value = object["data"]?.value;
          this.seen.push(`${resourceVersion} ${type} ${object.metadata.name} ${value}`);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!isSilence(error)) this.seen.push(String(error));
        await setTimeout(20);
      }
    }
  }
}

async function killOneAfterAnother(untilMs: number) {
  let kills = 0;
  while (performance.now() < untilMs) {
    await setTimeout(1500);
    const site = sites[kills % sites.length]!;
    process.kill(site.pid, "SIGKILL");
    kills += 1;
    if (kills % 4 === 3) {
      await etcd.kill();
      await etcd.start();
    }
    await setTimeout(500);
    await site.up(...flags);
  }
  return kills;
}

test("what was acknowledged stays, and every watcher is told the same in the same order", async (t) => {
  const clients = new Clients(0);
  const { metadata } = await clients.next.list(configMaps);
  const watchers = Array.from({ length: 6 }, (_, i) => new Watcher(i, metadata.resourceVersion));
  const writers = Array.from({ length: 9 }, (_, i) => new Writer(i));
  let over = false;
  const writing = Promise.all(writers.map((writer) => writer.run(() => over)));
  const killing = killOneAfterAnother(performance.now() + seconds * 1000).finally(() => {
    over = true;
  });
  const [kills] = await Promise.all([killing, writing]);

  const { items } = await clients.ask((client) => client.list(configMaps, { labelSelector }));
  const stored = new Map(items.map((item) => [item.metadata.name, item["data"].value]));
  const ledger = writers.flatMap((writer) => [...writer.ledger]);
  const wanted = new Map(ledger.filter(([, value]) => value !== undefined));
  assert.deepEqual(new Map([...stored].toSorted()), new Map([...wanted].toSorted()));

  const last = await clients.ask((client) =>
    client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "last", labels: label },
      data: { value: "end" },
    }),
  );
  const end = `${last.metadata.resourceVersion} ADDED last end`;
  for (let tries = 0; tries < 1200 && !watchers.every(({ seen }) => seen.includes(end)); tries++) {
    await setTimeout(100);
  }
  for (const watcher of watchers) await watcher.stop();
  for (const { seen } of watchers) assert.deepEqual(seen, watchers[0]!.seen);
  const revisions = watchers[0]!.seen.map((line) => Number(line.split(" ")[0]));
  assert.ok(revisions.every((revision, i) => i === 0 || revision > revisions[i - 1]!));
  const acknowledged = writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  assert.ok(revisions.length >= acknowledged, `${revisions.length} events`);
  t.diagnostic(
    `${kills} kills, ${acknowledged} acknowledged writes, ${revisions.length} events on each of ` +
      `${watchers.length} watchers, resumed ${watchers.map(({ resumed }) => resumed).join(", ")} times`,
  );
  clients.close();
});

test("no address and no node port is given out twice", async () => {
  const clients = new Clients(0);
  const create = (name: string) =>
    clients.next.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { type: "NodePort", ports: [{ port: 80 }] },
    });
  const made = await Promise.all(Array.from({ length: 60 }, (_, i) => create(`s${i}`)));
  assert.equal(new Set(made.map(({ spec }) => spec!.clusterIP)).size, made.length);
  assert.equal(new Set(made.map(({ spec }) => spec!.ports[0].nodePort)).size, made.length);
  clients.close();
});

test("when the leader is gone another one goes on with its work", async () => {
  const lease = await sites[1]!.get("lease", "kerb-control", "-n", "kube-system");
  const leader = sites.findIndex((_, i) => lease.spec.holderIdentity.startsWith(`server-${i}_`));
  process.kill(sites[leader]!.pid, "SIGKILL");
  const other = sites[(leader + 1) % sites.length]!;
  await other.kubectl(["create", "deployment", "web", "--image=none", "--replicas=2"]);
  for (let tries = 0; ; tries++) {
    const { items } = await other.get("pods", "-l", "app=web");
    if (items.length === 2) break;
    assert.ok(tries < 240, "no leader made the pods");
    await setTimeout(500);
  }
  await sites[leader]!.up(...flags);
});
