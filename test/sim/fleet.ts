// A fleet that lives through everything at once, from one seed: links cut, machines without power, clocks that
// jump, while somebody repaints what runs at half of the sites and moves sites in and out of that half. What
// must never happen is looked for at every change; what must come about, at the end.
import { resource } from "../../src/client/client.ts";
import {
  managedClusters,
  manifestWorkReplicaSets,
  manifestWorks,
} from "../../src/hub/kinds/resources.ts";
import { silenceTaints } from "../../src/hub/registration/availability.ts";
import { FakeClock } from "../../src/lib/fake-clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import type { Random } from "../../src/lib/random.ts";
import { isStatus } from "../../src/lib/status-error.ts";
import { openPki } from "../../src/server/auth/pki.ts";
import type { StoreEvent } from "../../src/store/store.ts";
import { Hub } from "./hub.ts";
import { Site } from "./site.ts";
import { namespace, paint, setManifests } from "./workload.ts";

export interface FleetOptions {
  seed: number;
  sites: number;
  /** Of trouble, simulated; quiet follows. */
  minutes: number;
  settleMinutes?: number;
  maxConcurrency?: number;
  /** Sites without API servers of their own, for thousands of them. */
  light?: boolean;
  tell?: (line: string) => void;
  /** What is done wrong on purpose, to see that it is found. */
  sabotage?: Sabotage;
}

/** A rollout to more at once than is allowed; works lost, given, kept or changed without anybody's word. */
export type Sabotage = "limit" | "silence" | "stranger" | "unmatched" | "late" | "loss";

export interface FleetReport {
  /** What must not be. Empty when all is well. */
  violations: string[];
  faults: Record<string, number>;
  changes: number;
  /** Deletions of the workload at sites. */
  removals: number;
}

const minuteMs = 60_000;
const settleMinutes = 20;
const paintKey = "configmaps/default/paint";
const paints = { ...resource("v1", "configmaps"), namespace: "default" };
const paintAt = { ...paints, name: "paint" };
const region = "region";

const isPicked = (site: number) => site % 2 === 0;
const isStranger = (site: number) => site % 10 === 9;

const parse = ({ value }: StoreEvent) => JSON.parse(Buffer.from(value).toString());

class Fleet {
  readonly #options: FleetOptions;
  readonly #clock = new FakeClock();
  readonly #random: Random;
  readonly #sites: Site[] = [];
  readonly #violations = new Set<string>();
  readonly #faults: Record<string, number> = {};
  /** Sites of which the hub says that the work is to be there. */
  readonly #wanted = new Set<string>();
  /** By site: all colours that its work ever had. */
  readonly #given = new Map<string, Set<string>>();
  /** Sites whose work is to go and is there still. */
  readonly #leaving = new Set<string>();
  /** By site: colour of its work at the hub, and whether that counts as being rolled out. */
  readonly #works = new Map<string, { colour: string; open: boolean }>();
  /** By colour: how many sites are being given it. */
  readonly #open = new Map<string, number>();
  /** Sites in the north, as the hub has it on its disk. */
  readonly #matched = new Set<string>();
  /** Sites that were not in the north at some moment since the hub made their work: no other may lose it. */
  readonly #left = new Set<string>();
  /** At every step: large fleets have as much trouble per site as small ones. */
  readonly #troubles: number;
  #hub!: Hub;
  #colour = "none";
  #changes = 0;
  #removals = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#troubles = Math.ceil(options.sites / 100);
    this.#random = seededRandom(options.seed);
  }

  get #max() {
    return this.#options.maxConcurrency ?? 3;
  }

  async run(): Promise<FleetReport> {
    await this.#build();
    await this.#clock.advance(3 * minuteMs);
    for (const { name, isStranger: isOne } of this.#sites) {
      if (isOne) await this.#label(name, "north");
    }
    const end = this.#clock.monotonic() + this.#options.minutes * minuteMs;
    while (this.#clock.monotonic() < end) {
      for (let i = 0; i < this.#troubles; i++) await this.#trouble();
      await this.#clock.advance(this.#random.float() * 0.5 * minuteMs);
    }
    await this.#heal();
    await this.#clock.advance((this.#options.settleMinutes ?? settleMinutes) * minuteMs);
    if (this.#options.sabotage === "loss") await this.#sites[0]!.machine.client()!.delete(paintAt);
    await this.#judge();
    await this.#stop();
    const [faults, changes, removals] = [this.#faults, this.#changes, this.#removals];
    return { violations: [...this.#violations], faults, changes, removals };
  }

  async #build() {
    const clock = this.#clock;
    const random = this.#random;
    const storage = { read: async () => undefined, write: async () => {} };
    const pki = await openPki(storage, { clock, names: ["sim"] });
    this.#hub = new Hub({ clock, random, pki });
    await this.#hub.machine.start();
    this.#hub.machine.watchDisk("manifestworks.", (event) => this.#onWork(event));
    this.#hub.machine.watchDisk("managedclusters.", (event) => this.#onCluster(event));
    await this.#clock.advance(1000);
    await this.#hub.permit();
    const more = this.#options.sabotage === "limit" ? 2 : 0;
    for (const [at, object] of setManifests(this.#max + more)) {
      await this.#hub.machine.client()!.create(at, object);
    }
    await this.#repaint();
    for (let i = 0; i < this.#options.sites; i++) {
      const name = `site-${i}`;
      const isOne = isStranger(i);
      const isLight = this.#options.light ?? false;
      const what = { name, isStranger: isOne, isLight };
      const site = new Site({ ...what, hub: this.#hub, clock, random, pki });
      site.machine.watchDisk("configmaps/default/", (event) => this.#onPaint(site, event));
      this.#sites.push(site);
      const labels = { [region]: isPicked(i) ? "north" : "south" };
      if (!isOne) await this.#hub.invite(name, labels);
      await site.machine.start();
    }
  }

  /** What the hub says of a site's work is written on its disk before anybody hears it. */
  #onWork(event: StoreEvent) {
    if (!event.key.endsWith("/paint")) return;
    const { metadata, spec, status } = parse(event);
    const site: string = metadata.namespace;
    if (event.type === "create" && this.#matched.has(site)) this.#left.delete(site);
    if (event.type === "delete" || metadata.deletionTimestamp) {
      if (!this.#left.has(site))
        this.#violate(`the hub took from ${site} what nobody took from it`);
      this.#wanted.delete(site);
      this.#note(site);
      if (event.type === "delete") this.#leaving.delete(site);
      else this.#leaving.add(site);
      return;
    }
    this.#wanted.add(site);
    const applied = status?.conditions?.some(
      (one: any) =>
        one.type === "Applied" &&
        one.status === "True" &&
        one.observedGeneration === metadata.generation,
    );
    const { colour } = spec.workload.manifests[0].data;
    this.#given.set(site, (this.#given.get(site) ?? new Set()).add(colour));
    const before = this.#works.get(site);
    const isLost = before !== undefined && before.colour === colour && !before.open;
    this.#note(site, { colour, open: !applied && !isLost });
    const open = this.#open.get(colour) ?? 0;
    if (open > this.#max) this.#violate(`${open} sites at once get ${colour}`);
  }

  /** Keeps what is known of a site's work, and how many sites are being given each colour. */
  #note(site: string, work?: { colour: string; open: boolean }) {
    const count = (one: typeof work, by: number) => {
      if (one?.open) this.#open.set(one.colour, (this.#open.get(one.colour) ?? 0) + by);
    };
    count(this.#works.get(site), -1);
    count(work, 1);
    if (work) this.#works.set(site, work);
    else this.#works.delete(site);
  }

  /** A site that falls silent is no longer waited for: the rollout goes on without it. */
  #onCluster(event: StoreEvent) {
    const { metadata, spec } = parse(event);
    const isMatched = event.type !== "delete" && metadata.labels?.[region] === "north";
    if (isMatched) this.#matched.add(metadata.name);
    else {
      this.#matched.delete(metadata.name);
      this.#left.add(metadata.name);
    }
    const work = this.#works.get(metadata.name);
    const isSilent = spec.taints?.some(({ key }: any) => silenceTaints.includes(key));
    if (work && isSilent) this.#note(metadata.name, { ...work, open: false });
  }

  #onPaint(site: Site, event: StoreEvent) {
    if (event.key !== paintKey) return;
    const { name } = site;
    if (event.type === "delete") {
      this.#removals++;
      if (this.#wanted.has(name)) this.#violate(`${name} lost what the hub wants there`);
      return;
    }
    const { colour } = parse(event).data;
    const given = this.#given.get(name);
    if (!given?.has(colour)) this.#violate(`${name} got ${colour}, which nobody sent it`);
    // A work leaves the hub after the site took back what it made; nothing comes after it.
    if (event.type === "create" && !this.#works.has(name) && !this.#leaving.has(name)) {
      this.#violate(`${name} got what the hub has no work for`);
    }
    if (site.isStranger) this.#violate(`${name} was never accepted, and got a work`);
  }

  #violate(what: string) {
    const minute = (this.#clock.monotonic() / minuteMs).toFixed(1);
    if (this.#violations.size < 20) this.#violations.add(`minute ${minute}: ${what}`);
  }

  #pick = <T>(list: readonly T[]): T => list[Math.floor(this.#random.float() * list.length)]!;

  #count(what: string, detail = "") {
    this.#faults[what] = (this.#faults[what] ?? 0) + 1;
    const minute = (this.#clock.monotonic() / minuteMs).toFixed(1);
    this.#options.tell?.(`${minute.padStart(7)} min  ${what} ${detail}`);
  }

  /** One thing goes wrong, or somebody wants something. */
  async #trouble() {
    const site = this.#pick(this.#sites);
    const forMs = this.#random.float() ** 2 * 20 * minuteMs;
    const deeds: Record<string, () => unknown> = {
      cut: () => {
        site.cut();
        this.#clock.after(forMs, () => site.mend());
      },
      "power cut": async () => {
        await this.#crash(site);
        this.#clock.after(forMs / 2, () => void site.machine.start());
      },
      "hub's power cut": async () => {
        await this.#crash(this.#hub);
        await this.#clock.advance(this.#random.float() * minuteMs);
        await this.#hub.machine.start();
      },
      "clock jump": () => {
        site.clock.offsetMs = (this.#random.float() - 0.5) * 20 * 365 * 86_400_000;
      },
      repaint: () => this.#repaint(),
      move: () => this.#label(site.name, this.#pick(["north", "south"])),
    };
    const often = ["cut", "cut", "cut", "power cut", "repaint", "move", "move", "clock jump"];
    const what =
      this.#random.float() < 0.03 / this.#troubles ? "hub's power cut" : this.#pick(often);
    this.#count(what, site.name);
    await deeds[what]!();
    await this.#harm(what, site);
  }

  /** Does what no part of Kerb may do. */
  async #harm(what: string, site: Site) {
    const { sabotage } = this.#options;
    const put = async ({ machine }: Site, colour: string) => {
      const data = { colour };
      const paint = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "paint" }, data };
      await machine.client()?.create(paints, paint);
    };
    const isBare = ({ name }: Site) => !this.#works.has(name) && !this.#leaving.has(name);
    const bare = this.#sites.filter((one) => one.machine.client() && isBare(one));
    const former = bare.find(({ name }) => this.#given.has(name));
    const deeds: Partial<Record<Sabotage, () => unknown>> = {
      silence: () => what === "cut" && site.machine.client()?.delete(paintAt),
      stranger: () =>
        put(
          this.#sites.find((one) => one.isStranger)!,
          this.#colour,
        ),
      unmatched: () => bare[0] && put(bare[0], this.#colour),
      late: () => former && put(former, [...this.#given.get(former.name)!][0]!),
    };
    // What is there already, or not there, is no harm.
    await Promise.resolve(sabotage && deeds[sabotage]?.()).catch(() => {});
  }

  /** Somebody at the hub: what is answered is acknowledged. */
  async #repaint() {
    const client = this.#hub.machine.client();
    if (!client) return;
    this.#colour = `colour-${++this.#changes}`;
    const target = { ...manifestWorkReplicaSets, namespace, name: "paint" };
    await client.patch(target, "merge", { spec: paint(this.#colour) });
  }

  async #label(name: string, value: string) {
    const client = this.#hub.machine.client();
    if (!client) return;
    const patch = { metadata: { labels: { [region]: value } } };
    await client.patch({ ...managedClusters, name }, "merge", patch).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }

  async #heal() {
    await this.#hub.machine.start();
    for (const site of this.#sites) {
      site.mend();
      site.clock.offsetMs = 0;
      await site.machine.start();
    }
  }

  async #judge() {
    const client = this.#hub.machine.client()!;
    const { items: clusters } = await client.list(managedClusters);
    const { items: works } = await client.list(manifestWorks);
    for (const { name, isStranger: isOne, machine } of this.#sites) {
      const cluster = clusters.find(({ metadata }) => metadata.name === name);
      const wanted = !isOne && cluster?.metadata.labels?.[region] === "north";
      const seen = await machine
        .client()!
        .get(paintAt)
        .then(({ data }: any) => data.colour)
        .catch(() => undefined);
      const should = wanted ? this.#colour : undefined;
      if (seen !== should) this.#violate(`${name} has ${seen} in the end, not ${should}`);
      const work = works.find(({ metadata }) => metadata.namespace === name);
      if (!wanted && work) this.#violate(`the work of ${name} stays`);
    }
    if (clusters.length < this.#sites.length) this.#violate("sites are missing at the hub");
  }

  async #stop() {
    for (const site of this.#sites) await this.#crash(site);
    await this.#crash(this.#hub);
  }

  /** What a machine was waiting for when its power went still takes its time. */
  async #crash({ machine }: Site | Hub) {
    let isDown = false;
    const down = machine.crash().then(() => (isDown = true));
    await new Promise((resolve) => setImmediate(resolve));
    while (!isDown) await this.#clock.advance(10);
    await down;
  }
}

/** Resolves with what became of it; the same for the same options. */
export const simulateFleet = (options: FleetOptions): Promise<FleetReport> =>
  new Fleet(options).run();
