// Keeps the kernel's rules true to Services and EndpointSlices. At start the table is written whole, in one
// transaction, so traffic of a running site is never without it; afterwards only what changed is sent.
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Cancel, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import {
  changeCommands,
  emptyRuleset,
  refusedElements,
  rulesetOf,
  tableCommands,
} from "./ruleset.ts";
import type { RulesetOptions } from "./ruleset.ts";
import { runCommand } from "../../lib/run-command.ts";
import { hostPortRules, serviceRules } from "./service-rules.ts";

export const servicesResource = resource("v1", "services");
export const endpointSlicesResource = resource("discovery.k8s.io/v1", "endpointslices");

/** Changes that come within this time share one transaction. */
const gatherMs = 20;
const retryMs = 2000;

export interface ServiceProxyOptions extends RulesetOptions {
  client: Client;
  services: Informer;
  slices: Informer;
  pods: Informer;
  /** Of the nodes on this machine. */
  nodeNames: readonly string[];
  /** EndpointSlices that stand here for those of a Service, by `namespace/name`: what this node serves itself. */
  local?: ReadonlyMap<string, KubeObject[]>;
  /** The zone that this node is in now, if it says. */
  zone: () => string | undefined;
  clock: Clock;
  log: Log;
  scope: Scope;
}

const serviceOf = (slice: KubeObject) =>
  `${slice.metadata.namespace}/${slice.metadata.labels?.["kubernetes.io/service-name"] ?? ""}`;

/** Resolves once the first rules stand. */
export async function startServiceProxy(options: ServiceProxyOptions): Promise<void> {
  const { services, slices, pods, nodeNames, zone, clock, log, scope, table } = options;
  slices.addIndex("service", (slice) => [serviceOf(slice)]);
  let applied: { ruleset: ReturnType<typeof rulesetOf>; refused: string[] } | undefined;
  let pending: Cancel | undefined;
  let running = Promise.resolve();

  const sync = async () => {
    const slicesOf = ({ metadata }: KubeObject) => {
      const key = `${metadata.namespace}/${metadata.name}`;
      return options.local?.get(key) ?? slices.byIndex("service", key);
    };
    const rules = [
      ...serviceRules(services.list(), slicesOf, { nodes: nodeNames, zone: zone() }),
      ...hostPortRules(pods.list(), nodeNames),
    ];
    const next = { ruleset: rulesetOf(rules), refused: refusedElements(rules) };
    const before = applied ?? { ruleset: emptyRuleset(), refused: [] };
    const commands = changeCommands(table, next, before);
    if (!applied) commands.unshift(...tableCommands(options));
    if (commands.length > 0) await runCommand("nft", ["-f", "-"], `${commands.join("\n")}\n`);
    applied = next;
  };
  const syncSoon = (ms: number) => {
    pending ??= clock.after(ms, () => {
      pending = undefined;
      running = running.then(sync).catch((error: Error) => {
        // What stands in the kernel is now unknown: write the table whole next time.
        applied = undefined;
        log.warn("service rules were not applied", { error: error.message });
        if (!scope.closed) syncSoon(retryMs);
      });
    });
  };
  await Promise.all([services.synced(), slices.synced(), pods.synced()]);
  await sync();
  const wake = { onAdd: wakeUp, onUpdate: wakeUp, onDelete: wakeUp };
  function wakeUp() {
    syncSoon(gatherMs);
  }
  scope.defer(services.subscribe(wake));
  scope.defer(slices.subscribe(wake));
  const wakeForHostPorts = (pod: KubeObject) => {
    const ports = pod.spec.containers.flatMap((container: any) => container.ports ?? []);
    if (ports.some((port: any) => port.hostPort)) wakeUp();
  };
  const podEvents = {
    onAdd: wakeForHostPorts,
    onUpdate: wakeForHostPorts,
    onDelete: wakeForHostPorts,
  };
  scope.defer(pods.subscribe(podEvents));
  scope.defer(() => {
    pending?.();
    return running;
  });
}
