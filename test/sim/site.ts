// A site of a simulated fleet: an API server with the member agent, as every Kerb has it, a clock of its own, and
// the one link it has.
import { startGarbageCollector } from "../../src/controllers/garbage-collector.ts";
import { kubeconfigOf, saveSecret } from "../../src/hub/member/credentials.ts";
import { startMember } from "../../src/hub/member/member.ts";
import type { KerbHost } from "../../src/hub/member/operations/host.ts";
import { bootstrapSecret } from "../../src/hub/names.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Random } from "../../src/lib/random.ts";
import { silent } from "../../src/lib/log.ts";
import { loadObjectRules } from "../../src/server/cel/object-rules.ts";
import { makeRequest } from "../../src/main/wings/member.ts";
import { hubUrl, tokenOf } from "./hub.ts";
import type { Hub } from "./hub.ts";
import { LightMachine } from "./light-machine.ts";
import type { AgentRoom } from "./light-machine.ts";
import { Link } from "./link.ts";
import { Machine } from "./machine.ts";
import type { MachineOptions } from "./machine.ts";

const known = {
  loadRules: loadObjectRules,
  version: async () => "v1.36.0",
  isKerb: true,
  timeZone: "UTC",
};

/** Runs as fast as the world's, and shows another time. */
class SiteClock implements Clock {
  readonly #world: Clock;
  offsetMs = 0;

  constructor(world: Clock) {
    this.#world = world;
  }

  now = () => this.#world.now() + this.offsetMs;
  monotonic = () => this.#world.monotonic();
  after: Clock["after"] = (ms, run) => this.#world.after(ms, run);
  every: Clock["every"] = (ms, run) => this.#world.every(ms, run);
}

export interface SiteOptions extends MachineOptions {
  name: string;
  hub: Hub;
  isStranger: boolean;
  /** Without an API server of its own. */
  isLight?: boolean;
  /** What it can do to itself; what it did outlives it. */
  kerb?: KerbHost;
}

export class Site {
  readonly name: string;
  /** Whether nobody ever accepts it. */
  readonly isStranger: boolean;
  readonly clock: SiteClock;
  readonly machine: Machine | LightMachine;
  readonly #random: Random;
  readonly #link: Link;
  readonly #kerb: KerbHost | undefined;

  constructor(options: SiteOptions) {
    const { name, isStranger, random } = options;
    this.name = name;
    this.isStranger = isStranger;
    this.clock = new SiteClock(options.clock);
    this.#link = new Link(options);
    const { pki, clock: _, ...rest } = options;
    const whole = { ...rest, pki, clock: this.clock };
    this.machine = options.isLight
      ? new LightMachine(whole, (room) => this.#startAgent(room, options.hub))
      : new Machine(whole, async (room) => {
          const { client, discover, informers, scope } = room;
          const parts = { informers, clock: this.clock, random, log: silent, scope };
          await startGarbageCollector({ client: client("garbage-collector"), discover, ...parts });
          await this.#startAgent(room, options.hub);
        });
    this.#random = random;
    this.#kerb = options.kerb;
  }

  async #startAgent({ client, discover, informers, scope }: AgentRoom, hub: Hub) {
    const own = client("system:kerb-agent");
    const invitation = { kubeconfig: this.#kubeconfig(), "cluster-name": this.name };
    await saveSecret(own, bootstrapSecret, invitation);
    await startMember({
      site: { client: own, informers, discover, ...known, ...(this.#kerb && { kerb: this.#kerb }) },
      connect: (connection) => this.#link.client(() => hub.as(connection)),
      makeRequest,
      alarms: false,
      ...{ informers, clock: this.clock, random: this.#random, log: silent, scope },
    });
  }

  #kubeconfig = () =>
    kubeconfigOf({ server: hubUrl }, { token: tokenOf(this.name, this.isStranger) });

  get isLinked() {
    return this.#link.isUp;
  }

  cut() {
    this.#link.cut();
  }

  mend() {
    this.#link.mend();
  }
}
