// The last words of a container are there as soon as anybody reads that it ended: who acts on its end reads them once.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { Informers } from "../../client/informers.ts";
import { localClient } from "../../client/local.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import { systemClock as clock } from "../../lib/clock.ts";
import { silent as log } from "../../lib/log.ts";
import { systemRandom as random } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { createServer } from "../../server/server.ts";
import { memoryStore } from "../../store/memory.ts";
import { startAgent } from "../agent.ts";
import { directoriesIn, podDirectory } from "../directories.ts";
import { FakeRuntime } from "../fake-runtime.ts";
import { noMounts } from "../machine/mounts.ts";
import { terminationPathIn } from "./container-config.ts";

const pods = { ...resource("v1", "pods"), namespace: "default" };
const directory = await mkdtemp(join(tmpdir(), "node-"));
const scope = new Scope();
const store = memoryStore();
const server = createServer({
  ...{ store, kinds: builtinKinds(), clock, random, log, serviceCidrs: ["10.96.0.0/24"] },
});
scope.defer(() => server.close());
const client = localClient(server, { name: "admin", groups: ["system:masters"] });
const runtime = new FakeRuntime({ clock });
after(async () => {
  await scope.close();
  await rm(directory, { recursive: true, force: true });
});

/** The first status that says that it runs is on its way until `written`. */
const [held, written] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
let isHeld = false;
const statuses: any[] = [];
const patch: Client["patch"] = async (target, type, body: any, ...more) => {
  const done = await client.patch<any>(target, type, body, ...more);
  if (target.resource !== "pods") return done;
  statuses.push(body.status);
  if (isHeld || body.status?.phase !== "Running") return done;
  isHeld = true;
  held.resolve();
  await written.promise;
  return done;
};

let looked = () => {};
const look = runtime.pod.bind(runtime);
runtime.pod = async (uid) => {
  const seen = await look(uid);
  looked();
  // What waited is told just as the end is seen.
  if (seen?.containers[0]?.state === "exited") written.resolve();
  return seen;
};

test("whoever reads that a container ended reads its last words with it", async () => {
  await startAgent({
    ...{ client: { ...client, patch }, nodeName: "edge", directory, runtime, scope },
    ...{ clock, random, log, mounts: noMounts, version: "v1.36.0", cgroupRoot: "kerb" },
    ...{ podCidrs: ["10.244.0.0/24"], addresses: ["192.0.2.1"], clusterDomain: "cluster.local" },
    ...{ dnsServiceIps: ["10.96.0.10"], informers: new Informers({ client, clock, log, scope }) },
  });
  const { metadata } = await client.create(pods, {
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "p" } },
    spec: {
      ...{ nodeName: "edge", restartPolicy: "Never" },
      containers: [{ name: "web", image: "web:1" }],
    },
  });
  await held.promise;
  const folder = podDirectory(directoriesIn(directory), metadata.uid);
  await writeFile(terminationPathIn(folder, "web", 0), "no luck");
  const isLooked = new Promise<void>((resolve) => (looked = resolve));
  // Something is to be told meanwhile.
  await client.patch({ ...pods, name: "p" }, "merge", { metadata: { labels: { a: "b" } } });
  await isLooked;
  await new Promise((resolve) => setImmediate(resolve));
  runtime.exit([...runtime.containers.keys()][0]!, 3);
  for await (const { type, object } of client.watch<any>(pods, { sendInitialEvents: true })) {
    if (type !== "BOOKMARK" && object.status?.phase === "Failed") break;
  }
  const ends = statuses.flatMap(({ containerStatuses: [one] }) => one.state.terminated ?? []);
  assert.notEqual(ends.length, 0);
  assert.deepEqual(new Set(ends.map(({ message }) => message)), new Set(["no luck"]));
});
