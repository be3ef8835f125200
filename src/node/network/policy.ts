// Keeps the kernel's filters true to NetworkPolicies. At start the table is written whole, in one
// transaction; afterwards only what changed is sent. A new pod waits before its first container until its
// policies stand.
import type { Informer } from "../../client/informer.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Cancel, Clock } from "../../lib/clock.ts";
import { familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import { runCommand } from "../../lib/run-command.ts";
import type { Scope } from "../../lib/scope.ts";
import { emptyTable, planPolicies } from "./policy-plan.ts";
import type { PolicyPod, PolicyTable } from "./policy-plan.ts";
import { policyChanges, policyTableCommands } from "./policy-rules.ts";

/** Changes that come within this time share one transaction. */
const gatherMs = 20;
const retryMs = 2000;

export const policyTableOf = (table: string) => `${table}-policy`;

export interface PoliciesOptions {
  /** Of NetworkPolicies, pods and namespaces. */
  policies: Informer;
  pods: Informer;
  namespaces: Informer;
  /** Of the nodes on this machine. */
  nodeNames: readonly string[];
  /** nftables table of the site. */
  table: string;
  /** Of the pods' addresses. */
  families: readonly IpFamily[];
  clock: Clock;
  log: Log;
  scope: Scope;
  /** Runs nftables commands as one transaction; `nft` by default. */
  apply?: (commands: string[]) => Promise<unknown>;
  /** Where the site's DNS server listens. */
  dns?: { addresses: string[]; port: number };
}

/** What the agent tells of a pod. */
export interface PodGate {
  /** Of a pod that is gone: undefined. */
  ready?(podUid: string, isReady: boolean | undefined): void;
  /** Before its first container. */
  /** Resolves once the pod's policies stand. */
  admit(pod: KubeObject, ips: string[]): Promise<void>;
}

const hasEnded = ({ status }: KubeObject) =>
  status?.phase === "Succeeded" || status?.phase === "Failed";

function portsOf({ spec }: KubeObject): Map<string, number> {
  const ports = new Map<string, number>();
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    for (const { name, protocol = "TCP", containerPort } of container.ports ?? []) {
      if (name) ports.set(`${protocol.toLowerCase()}/${name}`, containerPort);
    }
  }
  return ports;
}

const apply = (commands: string[]) => runCommand("nft", ["-f", "-"], `${commands.join("\n")}\n`);

class Policies implements PodGate {
  readonly #options: PoliciesOptions;
  readonly #table: string;
  /** Addresses of pods of this node that the API does not show yet, by uid. */
  readonly #early = new Map<string, string[]>();
  #applied: PolicyTable[] | undefined;
  #pending: Cancel | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: PoliciesOptions) {
    this.#options = options;
    this.#table = policyTableOf(options.table);
  }

  async start() {
    const { policies, pods, namespaces, scope } = this.#options;
    await Promise.all([policies.synced(), pods.synced(), namespaces.synced()]);
    await this.#sync();
    const wake = () => this.#syncSoon(gatherMs);
    for (const informer of [policies, namespaces]) {
      scope.defer(informer.subscribe({ onAdd: wake, onUpdate: wake, onDelete: wake }));
    }
    const gone = (pod: KubeObject) => {
      this.#early.delete(pod.metadata.uid);
      wake();
    };
    const changed = (pod: KubeObject, previous?: KubeObject) => {
      if (!previous || seen(previous) !== seen(pod)) wake();
    };
    scope.defer(pods.subscribe({ onAdd: changed, onUpdate: changed, onDelete: gone }));
    scope.defer(() => {
      this.#pending?.();
      return this.#running;
    });
  }

  async admit(pod: KubeObject, ips: string[]) {
    if (ips.length === 0 || pod.spec.hostNetwork || pod.status?.podIP === ips[0]) return;
    const { uid } = pod.metadata;
    if (this.#early.get(uid)?.[0] === ips[0]) return this.#running;
    this.#early.set(uid, ips);
    if (this.#options.policies.list().length === 0) return;
    this.#running = this.#running.catch(() => {}).then(() => this.#sync());
    await this.#running;
  }

  async #sync() {
    const next = this.#options.families.map((family) => planPolicies(this.#input(family)));
    const commands = next.flatMap((table, i) => [
      ...(this.#applied ? [] : policyTableCommands(this.#table, table.family)),
      ...policyChanges(this.#table, table, this.#applied?.[i] ?? emptyTable(table.family)),
    ]);
    if (commands.length > 0) await (this.#options.apply ?? apply)(commands);
    this.#applied = next;
  }

  #syncSoon(ms: number) {
    const { clock, log, scope } = this.#options;
    this.#pending ??= clock.after(ms, () => {
      this.#pending = undefined;
      const sync = this.#running.catch(() => {}).then(() => this.#sync());
      this.#running = sync.catch((error: Error) => {
        // What stands in the kernel is now unknown: write the table whole next time.
        this.#applied = undefined;
        log.warn("network policies were not applied", { error: error.message });
        if (!scope.closed) this.#syncSoon(retryMs);
      });
    });
  }

  #input(family: IpFamily) {
    const { policies, pods, namespaces } = this.#options;
    const seenPods = pods.list().flatMap((pod) => this.#podOf(pod, family) ?? []);
    const dns = this.#dns(family);
    return {
      family,
      dns,
      policies: policies.list(),
      pods: [...seenPods, ...(dns ? [dnsPod(dns)] : [])],
      namespaces: new Map(
        namespaces.list().map(({ metadata }) => [metadata.name, metadata.labels ?? {}]),
      ),
    };
  }

  #podOf(pod: KubeObject, family: IpFamily): PolicyPod | undefined {
    const { metadata, spec } = pod;
    const ips = addressesOf(pod) ?? this.#early.get(metadata.uid) ?? [];
    const ip = ips.find((one) => familyOf(one) === family);
    if (!ip || spec.hostNetwork || hasEnded(pod)) return undefined;
    return {
      namespace: metadata.namespace!,
      labels: metadata.labels ?? {},
      ip,
      ports: portsOf(pod),
      isLocal: this.#options.nodeNames.includes(spec.nodeName),
    };
  }

  #dns(family: IpFamily) {
    const { addresses = [], port = 0 } = this.#options.dns ?? {};
    const address = addresses.find((one) => familyOf(one) === family);
    return address === undefined ? undefined : { address, port };
  }
}

/** The site's DNS server is no pod; policies that let pods ask `k8s-app: kube-dns` mean it. */
function dnsPod({ address, port }: { address: string; port: number }): PolicyPod {
  const ports = new Map(
    ["udp", "tcp"].flatMap((protocol) => [
      [`${protocol}/dns`, port],
      [`${protocol}/dns-tcp`, port],
    ]),
  );
  const labels = { "k8s-app": "kube-dns" };
  return { namespace: "kube-system", labels, ip: address, ports, isLocal: false };
}

/** Undefined as long as the API shows none. */
function addressesOf({ status }: KubeObject): string[] | undefined {
  const { podIP, podIPs = [{ ip: podIP }] } = status ?? {};
  return podIP === undefined ? undefined : podIPs.map(({ ip }: { ip: string }) => ip);
}

/** What of a pod policies look at. */
const seen = ({ metadata, status }: KubeObject) =>
  JSON.stringify([metadata.labels, status?.podIP, status?.phase]);

/** Resolves once the policies of now stand. */
export async function startPolicies(options: PoliciesOptions): Promise<PodGate> {
  const policies = new Policies(options);
  await policies.start();
  return policies;
}
