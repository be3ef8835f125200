// Strategies whose hub, or whose site, loses its power at every moment at which something of them was just written
// down: the strategy goes on as if nothing had been, nothing is done twice, and never more at once than it allows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { KerbHost } from "../../src/hub/member/operations/host.ts";
import { maintenanceWindows, updateStrategies } from "../../src/hub/kinds/fleet.ts";
import type { StrategyStatus } from "../../src/hub/kinds/update-strategy.ts";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { openPki } from "../../src/server/auth/pki.ts";
import { Hub } from "./hub.ts";
import type { Machine } from "./machine.ts";
import type { LightMachine } from "./light-machine.ts";
import { Site } from "./site.ts";

const names = ["farm", "mill", "shop"];
const downMs = 3000;
const provedMs = 5000;
const minuteMs = 60_000;
const yearMs = 365 * 86_400_000;

/** The releases of a site, which its power cuts do not touch. A release whose name says so does not prove itself. */
class Releases {
  version = "1.0.0";
  trying: { version: string } | undefined;
  failed: { version: string; message: string } | undefined;
  /** Every switch that was begun. */
  readonly begun: string[] = [];
  /** By the hub's clock: the last of them. */
  begunMs = 0;
  readonly #clock: FakeClock;
  site!: Site;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  become(version: string) {
    this.begunMs = this.#clock.now();
    const former = this.version;
    this.begun.push(version);
    this.trying = { version };
    this.#clock.after(1, () => {
      this.version = version;
      void this.site.machine.crash();
      this.#clock.after(downMs, () => void this.site.machine.start());
    });
    this.#clock.after(downMs + provedMs, () => {
      this.trying = undefined;
      if (!version.endsWith("bad")) return;
      this.version = former;
      this.failed = { version, message: `release ${version} was never ready` };
    });
  }

  host(): KerbHost {
    const options = { report: () => ({ good: {}, commandLine: [] }), plan: () => ({}) };
    return {
      releases: {
        report: () => {
          const { version, trying, failed } = this;
          return { version, ...(trying && { trying }), ...(failed && { failed }) };
        },
        stage: async () => {},
        become: (version) => this.become(version),
      },
      configuration: { ...options, request: () => {} },
      authority: { phase: () => "Settled", advance: async () => {} },
      backup: async () => "",
    };
  }
}

let clock: FakeClock;
let hub: Hub;
const sites: Site[] = [];
const releases = new Map<string, Releases>();
/** Told of every write about the strategy that runs, with the site that it is about, if any. */
let written: (about: string | undefined) => void = () => {};

before(async () => {
  clock = new FakeClock();
  const random = seededRandom(5);
  const storage = { read: async () => undefined, write: async () => {} };
  const pki = await openPki(storage, { clock, names: ["sim"] });
  hub = new Hub({ clock, random, pki });
  await hub.machine.start();
  hub.machine.watchDisk("updatestrategies.", () => written(undefined));
  hub.machine.watchDisk("siteoperations.", ({ key }) => written(key.split("/")[1]));
  await clock.advance(1000);
  await hub.permit();
  for (const name of names) {
    const own = new Releases(clock);
    const what = { name, isStranger: false, isLight: true, kerb: own.host() };
    own.site = new Site({ ...what, hub, clock, random, pki });
    releases.set(name, own);
    sites.push(own.site);
    await hub.invite(name, { place: name });
    await own.site.machine.start();
  }
  await clock.advance(120_000);
});
after(async () => {
  for (const { machine } of sites) await down(machine);
  await down(hub.machine);
});

async function down(machine: Machine | LightMachine) {
  let isDown = false;
  void machine.crash().then(() => (isDown = true));
  while (!isDown) await clock.advance(10);
}

/** Runs a strategy, with something done at its write number `at`; resolves with its end and its number of writes. */
async function runStrategy(
  version: string,
  at: number,
  harm: (about: string | undefined) => void,
  asked?: object,
) {
  let writes = 0;
  let most = 0;
  written = (about) => {
    if (writes++ === at) clock.after(0, () => harm(about));
  };
  const operation = asked ?? {
    type: "UpdateKerb",
    release: { version, url: "/x", sha256: "0".repeat(64) },
  };
  await hub.machine.client()!.create(updateStrategies, {
    ...{
      apiVersion: "fleet.kerb.dev/v1alpha1",
      kind: "UpdateStrategy",
      metadata: { name: version },
    },
    spec: { operation, maxParallel: 2 },
  });
  let status: StrategyStatus | undefined;
  for (let seconds = 0; seconds < 1800; seconds++) {
    await clock.advance(1000);
    const found = await hub.machine
      .client()
      ?.get({ ...updateStrategies, name: version })
      .catch(() => undefined);
    status = (found?.status as StrategyStatus | undefined) ?? status;
    const applying = status?.sites?.filter(({ state }) => state === "Applying").length ?? 0;
    most = Math.max(most, applying);
    if (["Complete", "Failed"].includes(status?.state ?? "") && applying === 0) break;
  }
  written = () => {};
  await clock.advance(30_000);
  return { status, writes, most };
}

const isBack = (name: string) => releases.get(name)!.site;

const harms = {
  nobody: () => {},
  "its hub": () => {
    void hub.machine.crash();
    clock.after(downMs, () => void hub.machine.start());
  },
  "the site it is about": (about: string | undefined) => {
    if (!about) return;
    const { machine } = isBack(about);
    void machine.crash();
    clock.after(downMs, () => void machine.start());
  },
};

for (const [whose, harm] of Object.entries(harms)) {
  test(`a strategy goes on whenever the power of ${whose} fails`, async () => {
    let tried = 0;
    for (let at = 0; ; at++) {
      const version = `2.${Object.keys(harms).indexOf(whose)}.${at}`;
      const { status, writes, most } = await runStrategy(version, at, harm);
      assert.equal(status?.state, "Complete", `${version}: ${JSON.stringify(status)}`);
      assert.ok(most <= 2, `${version}: ${most} at once`);
      for (const [name, { begun, version: now }] of releases) {
        assert.equal(now, version, name);
        assert.equal(begun.filter((one) => one === version).length, 1, `${name}: ${begun}`);
      }
      tried++;
      if (at >= writes || whose === "nobody") break;
    }
    if (whose !== "nobody") assert.ok(tried > 15, `${tried} moments`);
  });
}

test("a release that does not prove itself stops the strategy, whenever the power of its hub fails", async () => {
  const ready = () => [...releases.values()].map(({ version }) => version);
  const former = ready();
  for (let at = 0; ; at++) {
    const version = `3.0.${at}-bad`;
    const { status, writes } = await runStrategy(version, at, harms["its hub"]);
    assert.equal(status?.state, "Failed", `${version}: ${JSON.stringify(status)}`);
    assert.match(status!.message!, /stopped, since .* failed; 1 of 3 were not begun/);
    assert.deepEqual(ready(), former);
    if (at >= writes) break;
  }
});

test("backups that the hub keeps are all there, whenever its power fails", async () => {
  for (let at = 0; ; at++) {
    const taken = new Set<string>();
    hub.takeBackup = async (site, keep) => {
      assert.equal(keep, 2);
      taken.add(site);
      return `7 objects in backups/${site}`;
    };
    const backup = { type: "Backup", backup: { keep: 2, location: "Hub" } };
    const { status, writes } = await runStrategy(`nightly-${at}`, at, harms["its hub"], backup);
    assert.equal(status?.state, "Complete", JSON.stringify(status));
    assert.match(status!.sites![0]!.message!, /7 objects in backups/);
    assert.deepEqual([...taken].toSorted(), names);
    if (at >= writes) break;
  }
});

test("a window is the hub's: clocks of sites that are wrong open and close nothing", async () => {
  const opensAt = Math.ceil(clock.now() / minuteMs) * minuteMs + 10 * minuteMs;
  const at = new Date(opensAt);
  const client = hub.machine.client()!;
  await client.create(maintenanceWindows, {
    ...{ apiVersion: "fleet.kerb.dev/v1alpha1", kind: "MaintenanceWindow" },
    metadata: { name: "soon" },
    spec: {
      ...{ schedule: `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`, duration: "5m" },
      timeZone: "UTC",
    },
  });
  // By their own clocks one is in the window now, one was years ago, and one never will be.
  const offsets = [11 * minuteMs, -10 * yearMs, 10 * yearMs];
  for (const [i, site] of sites.entries()) site.clock.offsetMs = offsets[i]!;
  const begunAt = () => [...releases.values()].map(({ begunMs }) => begunMs);
  const { status } = await runStrategy("4.0.0", 0, harms.nobody);
  assert.equal(status?.state, "Complete", JSON.stringify(status));
  for (const begun of begunAt()) {
    assert.ok(begun >= opensAt && begun < opensAt + 5 * minuteMs, new Date(begun).toISOString());
  }
  for (const site of sites) site.clock.offsetMs = 0;
  await client.delete({ ...maintenanceWindows, name: "soon" });
});
