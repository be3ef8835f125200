import assert from "node:assert/strict";
import { test } from "node:test";
import { manifestWorks, placements } from "../../src/hub/kinds/resources.ts";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { openPki } from "../../src/server/auth/pki.ts";
import { Hub } from "./hub.ts";
import { Site } from "./site.ts";
import { namespace, setManifests } from "./workload.ts";

const sitesCount = 4;

test("a Placement that is deleted, and one that is made anew, take nothing from sites", async () => {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const storage = { read: async () => undefined, write: async () => {} };
  const pki = await openPki(storage, { clock, names: ["sim"] });
  const hub = new Hub({ clock, random, pki });
  await hub.machine.start();
  await clock.advance(1000);
  await hub.permit();
  const client = hub.machine.client()!;
  const manifests = setManifests(sitesCount);
  for (const [at, object] of manifests) await client.create(at, object);
  const sites: Site[] = [];
  for (let i = 0; i < sitesCount; i++) {
    const who = { name: `site-${i}`, isStranger: false, isLight: true };
    const site = new Site({ ...who, hub, clock, random, pki });
    await hub.invite(site.name, { region: "north" });
    await site.machine.start();
    sites.push(site);
  }
  await clock.advance(180_000);
  const uids = async () => {
    const { items } = await client.list(manifestWorks);
    return items.map(({ metadata }) => metadata.uid).sort();
  };
  const before = await uids();
  assert.equal(before.length, sitesCount);

  const remove = () => client.delete({ ...placements, namespace, name: "north" });
  const [at, object] = manifests.find(([target]) => target.resource === placements.resource)!;
  await remove();
  await clock.advance(60_000);
  assert.deepEqual(await uids(), before, "deleted");
  await client.create(at, object);
  await clock.advance(60_000);
  assert.deepEqual(await uids(), before, "made anew");
  await remove();
  await client.create(at, object);
  await clock.advance(60_000);
  assert.deepEqual(await uids(), before, "deleted and made anew at once");

  for (const { machine } of sites) await machine.crash();
  await hub.machine.crash();
});
