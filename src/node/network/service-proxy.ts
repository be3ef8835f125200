// Keeps the kernel's rules true to Services and EndpointSlices. At start the table is written whole, in one
// transaction, so traffic of a running site is never without it; afterwards only what changed is sent.
import type { Client, Reach } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Cancel, Clock } from "../../lib/clock.ts";
import { familyOf } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { HealthChecks, healthChecksOf } from "./health-checks.ts";
import { endedConnections, endedFlows, unansweredList } from "./ended-flows.ts";
import {
  changeCommands,
  emptyRuleset,
  mergeRulesets,
  rulesetOf,
  tableCommands,
} from "./ruleset.ts";
import type { PodRanges, Ruleset } from "./ruleset.ts";
import { runCommand } from "../../lib/run-command.ts";
import type { OwnPods } from "./own-pods.ts";
import { routeLoopback } from "./route-loopback.ts";
import { hostPortRules, serviceRules } from "./service-rules.ts";
import type { Here, ServicePort } from "./service-rules.ts";

export const servicesResource = resource("v1", "services");
export const endpointSlicesResource = resource("discovery.k8s.io/v1", "endpointslices");

/** Changes that come within this time share one transaction. */
const gatherMs = 10;
const retryMs = 2000;

export interface ServiceProxyOptions {
  table: string;
  /** One of each family that pods have addresses of. */
  ranges: readonly PodRanges[];
  client: Client;
  services: Informer;
  slices: Informer;
  pods: Informer;
  /** Of the nodes on this machine. */
  nodeNames: readonly string[];
  /** EndpointSlices that stand here for those of a Service, by `namespace/name`: what this node serves itself. */
  local?: ReadonlyMap<string, KubeObject[]>;
  /** Whether this node is cut off; absent where the server is here. */
  reach?: Reach;
  /** Of a node that may be cut off. */
  own?: OwnPods;
  /** The zone that this node is in now, if it says. */
  zone: () => string | undefined;
  clock: Clock;
  log: Log;
  scope: Scope;
}

const serviceOf = (slice: KubeObject) =>
  `${slice.metadata.namespace}/${slice.metadata.labels?.["kubernetes.io/service-name"] ?? ""}`;

const loopback = /^127\./;

/** What was made of a Service, and of what. */
interface Made {
  from: unknown[];
  /** By family, as the ranges are. */
  rulesets: Ruleset[];
}

/** What should stand, by family. */
interface Wanted {
  ruleset: Ruleset;
  hostPorts: ServicePort[];
}

class ServiceProxy {
  readonly #options: ServiceProxyOptions;
  readonly #health: HealthChecks;
  readonly #made = new Map<string, Made>();
  #applied: Ruleset[] | undefined;
  #pending: Cancel | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
    this.#health = new HealthChecks(options.log, options.scope);
  }

  async start() {
    const { services, slices, pods, reach, own, scope } = this.#options;
    await Promise.all([services.synced(), slices.synced(), pods.synced()]);
    await this.#sync();
    const wakeUp = () => this.#syncSoon(gatherMs);
    const wake = { onAdd: wakeUp, onUpdate: wakeUp, onDelete: wakeUp };
    for (const informer of [services, slices]) scope.defer(informer.subscribe(wake));
    if (reach) scope.defer(reach.onChange(wakeUp));
    if (own) {
      scope.defer(
        own.onChange(() => {
          if (reach?.isAway()) wakeUp();
        }),
      );
    }
    const wakeForHostPorts = (pod: KubeObject) => {
      const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
      const ports = containers.flatMap((container: any) => container.ports ?? []);
      if (ports.some((port: any) => port.hostPort)) wakeUp();
    };
    const podEvents = {
      onAdd: wakeForHostPorts,
      onUpdate: wakeForHostPorts,
      onDelete: wakeForHostPorts,
    };
    scope.defer(pods.subscribe(podEvents));
    scope.defer(() => {
      this.#pending?.();
      return this.#running;
    });
  }

  #slicesOf({ metadata: { namespace, name } }: KubeObject): KubeObject[] {
    const key = `${namespace}/${name}`;
    return this.#options.local?.get(key) ?? this.#options.slices.byIndex("service", key);
  }

  /** Made anew only for a Service of which something changed. */
  #rulesetsOf(service: KubeObject, here: Omit<Here, "family">): Ruleset[] {
    const { namespace, name } = service.metadata;
    const key = `${namespace}/${name}`;
    const own = this.#slicesOf(service);
    const version = here.isCutOff ? this.#options.own?.version : undefined;
    const from = [service, here.zone, here.isCutOff, version, ...own];
    const known = this.#made.get(key);
    const isSame =
      known?.from.length === from.length && from.every((one, i) => one === known.from[i]);
    if (isSame) return known!.rulesets;
    const rulesets = this.#options.ranges.map(({ clusterCidr }) => {
      const of = { ...here, family: familyOf(clusterCidr) };
      return rulesetOf(serviceRules(service, own, of), clusterCidr);
    });
    this.#made.set(key, { from, rulesets });
    return rulesets;
  }

  #wanted(): Wanted[] {
    const { services, pods, nodeNames, zone, reach, own, ranges } = this.#options;
    const here = {
      nodes: nodeNames,
      zone: zone(),
      isCutOff: reach?.isAway() ?? false,
      ...(own && { isDown: own.isDown }),
    };
    const all = services.list();
    const parts = all.map((service) => this.#rulesetsOf(service, here));
    if (this.#made.size > all.length) {
      const there = new Set(all.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
      for (const key of this.#made.keys()) if (!there.has(key)) this.#made.delete(key);
    }
    return ranges.map(({ clusterCidr }, i) => {
      const family = familyOf(clusterCidr);
      const hostPorts = hostPortRules(pods.list(), { nodes: nodeNames, family });
      const own = [...parts.map((one) => one[i]!), rulesetOf(hostPorts, clusterCidr)];
      return { ruleset: mergeRulesets(family, own), hostPorts };
    });
  }

  async #sync() {
    const { table, ranges } = this.#options;
    const wanted = this.#wanted();
    const rulesets = wanted.map(({ ruleset }) => ruleset);
    const was = this.#applied;
    const before = was ?? rulesets.map(({ family }) => emptyRuleset(family));
    const commands = rulesets.flatMap((ruleset, i) => [
      ...(this.#applied ? [] : tableCommands(table, ranges[i]!)),
      ...changeCommands(table, ruleset, before[i]!),
    ]);
    if (commands.length > 0) await runCommand("nft", ["-f", "-"], `${commands.join("\n")}\n`);
    this.#applied = rulesets;
    const { services, nodeNames } = this.#options;
    this.#health.follow(healthChecksOf(services.list(), (one) => this.#slicesOf(one), nodeNames));
    for (const [i, ruleset] of rulesets.entries()) {
      await endFlows(endedFlows(ruleset, before[i]!));
      const list = unansweredList(ruleset, was?.[i]);
      const listed = list ? await runCommand("conntrack", list).catch(() => "") : "";
      await endFlows(endedConnections(listed, ruleset, ranges[i]!.clusterCidr));
    }
    const toLoopback = wanted
      .flatMap(({ hostPorts }) => hostPorts)
      .filter(({ frontends }) => frontends.some(({ address = "" }) => loopback.test(address)));
    await routeLoopback(toLoopback.map(({ backends }) => backends[0]!.address));
  }

  #syncSoon(ms: number) {
    const { clock, log, scope } = this.#options;
    this.#pending ??= clock.after(ms, () => {
      this.#pending = undefined;
      const synced = this.#running.then(() => this.#sync());
      this.#running = synced.catch((error: Error) => {
        // What stands in the kernel is now unknown: write the table whole next time.
        this.#applied = undefined;
        log.warn("service rules were not applied", { error: error.message });
        if (!scope.closed) this.#syncSoon(retryMs);
      });
    });
  }
}

/** Without the tool, who goes on sending is not heard, and who connects again waits, for up to two minutes. */
async function endFlows(all: string[][]) {
  for (const args of all) await runCommand("conntrack", args).catch(() => {});
}

/** Resolves once the first rules stand. */
export async function startServiceProxy(options: ServiceProxyOptions): Promise<void> {
  options.slices.addIndex("service", (slice) => [serviceOf(slice)]);
  await new ServiceProxy(options).start();
}
