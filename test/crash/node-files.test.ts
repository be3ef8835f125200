// The node's own files when the power goes between any two steps of writing them, and the disk has kept of what was
// not synced whatever it liked: what was acknowledged is there, and nothing is ever half there.
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { resource } from "../../src/client/client.ts";
import type { Client } from "../../src/client/client.ts";
import { offlineClient } from "../../src/client/offline.ts";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { silent } from "../../src/lib/log.ts";
import { StatusError } from "../../src/lib/status-error.ts";
import { openCpus } from "../../src/node/cpus/cpus.ts";
import type { Pod } from "../../src/node/pods/pod.ts";
import { wholeFileSteps } from "../../src/node/whole-file.ts";
import type { WriteStep } from "../../src/node/whole-file.ts";
import { CrashDisk, materialized } from "./crash-disk.ts";

/** Looks at every crash before, between and after the steps. */
function everywhere(steps: WriteStep[], disk: CrashDisk, look: (done: number) => void) {
  look(0);
  for (const [i, step] of steps.entries()) {
    disk.take(step);
    look(i + 1);
  }
}

test("a file is the old one or the new one after every crash, and the new one once it was acknowledged", () => {
  const disk = new CrashDisk();
  let crashes = 0;
  for (const [n, text] of ["one", "two", "three"].entries()) {
    const before = disk.read("site/a.json");
    const steps = wholeFileSteps("site/a.json", text);
    everywhere(steps, disk, (done) => {
      for (const found of disk.crashes()) {
        crashes += 1;
        const now = found.get("site/a.json");
        const allowed = done === steps.length ? [text] : [before, text];
        assert.ok(allowed.includes(now), `write ${n}, step ${done}: found ${now}`);
      }
    });
  }
  assert.ok(crashes > 20);
});

test("the same look finds what a careless writer loses", () => {
  const inPlace = new CrashDisk();
  for (const step of wholeFileSteps("site/a.json", "old")) inPlace.take(step);
  inPlace.write("site/a.json", "newer", false);
  const found = [...inPlace.crashes()].map((one) => one.get("site/a.json"));
  assert.ok(found.includes("") && found.includes("ne"), "torn");
  const unsynced = new CrashDisk();
  for (const step of wholeFileSteps("site/a.json", "old")) unsynced.take(step);
  for (const step of wholeFileSteps("site/a.json", "new").slice(0, 3)) unsynced.take(step);
  const late = [...unsynced.crashes()].map((one) => one.get("site/a.json"));
  assert.ok(late.includes("old"), "acknowledged without a synced folder is lost");
});

const pod = (uid: string, cpu: string): Pod => {
  const amounts = { cpu, memory: "16Mi" };
  const resources = { requests: amounts, limits: amounts };
  return {
    metadata: { uid, name: uid },
    spec: { containers: [{ name: "c", image: "i", resources }] },
  } as unknown as Pod;
};

test("who has which processors is known after every crash", async () => {
  const disk = new CrashDisk();
  const shared = {
    reserved: "0",
    log: silent,
    cores: [[0], [1], [2], [3]],
    onChange: () => {},
  };
  const held: string[] = [];
  let pending: string | undefined;
  const look = async () => {
    for (const found of disk.crashes()) {
      const directory = materialized(found);
      const cpus = await openCpus({ ...shared, directory: join(directory, "site") });
      for (const uid of held) assert.ok(cpus.holds(uid) || uid === pending, uid);
      rmSync(directory, { recursive: true });
    }
  };
  const write = async (step: WriteStep) => {
    disk.take(step);
    await look();
  };
  const cpus = await openCpus({ ...shared, directory: "site", disk: write });
  for (const uid of ["a", "b", "c"]) {
    assert.equal(await cpus.admit(pod(uid, "1")), undefined);
    held.push(uid);
    await look();
  }
  pending = "b";
  await cpus.release("b");
  held.splice(1, 1);
  await look();
});

const away = new Proxy({} as Client, {
  get: () => () => {
    throw new StatusError("ServiceUnavailable", "cut");
  },
});

const nothingToForget = { names: () => [], remove: () => {} };

test("a node that crashes and wakes without its server finds what it had written down last", async () => {
  const clock = new FakeClock();
  const disk = new CrashDisk();
  const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };
  let acknowledged: string | undefined;
  let writing: string | undefined;
  const recalled = async (found: ReadonlyMap<string, string>) => {
    const files = {
      ...nothingToForget,
      read: (name: string) => found.get(`remembered/${name}`),
      write: () => {},
    };
    const client = offlineClient(away, { files, clock });
    for await (const { type, object } of client.watch(configMaps, { sendInitialEvents: true })) {
      if (type === "ADDED") return object["data"].n as string;
    }
    return undefined;
  };
  const crashes: Promise<void>[] = [];
  const files = {
    ...nothingToForget,
    read: (name: string) => disk.read(`remembered/${name}`),
    write: (name: string, text: string) => {
      writing = JSON.parse(text).objects[0].data.n;
      const steps = wholeFileSteps(`remembered/${name}`, text);
      everywhere(steps, disk, (done) => {
        const allowed = done === steps.length ? [writing] : [acknowledged, writing];
        for (const found of disk.crashes()) {
          const look = recalled(found).catch(() => undefined);
          crashes.push(look.then((n) => assert.ok(allowed.includes(n), `found ${n}`)));
        }
      });
      acknowledged = writing;
    },
  };
  const object = (n: number) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", namespace: "default", uid: "a", resourceVersion: String(n) },
    data: { n: String(n) },
  });
  const server = {
    async *watch() {
      yield { type: "ADDED", object: object(1) };
      const annotations = { "k8s.io/initial-events-end": "true" };
      yield { type: "BOOKMARK", object: { metadata: { resourceVersion: "1", annotations } } };
      for (let n = 2; n <= 4; n++) yield { type: "MODIFIED", object: object(n) };
    },
  } as unknown as Client;
  const client = offlineClient(server, { files, clock });
  for await (const _ of client.watch(configMaps, { sendInitialEvents: true })) {
    await clock.advance(10_000);
  }
  client.flush();
  await Promise.all(crashes);
  assert.equal(acknowledged, "4");
  assert.ok(crashes.length > 20);
});

test("the sources write no file of the node's beside these steps", () => {
  for (const file of ["devices/claims", "devices/device-plugins", "resize/resizer", "cpus/cpus"]) {
    const path = join(import.meta.dirname, `../../src/node/${file}.ts`);
    const source = readFileSync(path, "utf8");
    assert.match(source, /await writeWhole\(/);
    assert.doesNotMatch(source, /\bwriteFile\(|\brename\(/);
  }
});
