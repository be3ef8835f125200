// A site at its hub, with a certificate: it renews its lease, says what it has, does its works, and renews
// its certificate. All of it goes on by itself when the link is back.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import { Informers } from "../../client/informers.ts";
import { startControllers } from "../../controllers/runtime.ts";
import type { DiscoveredResource } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { backoffMs } from "../../lib/backoff.ts";
import { microTimestamp, sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { differs } from "../../lib/differs.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus, StatusError } from "../../lib/status-error.ts";
import { alarmReport, takesAlarms } from "../alarms/report.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import {
  appliedManifestWorks,
  clusterClaims,
  managedClusters,
  manifestWorks,
} from "../kinds/resources.ts";
import { leaseName } from "../names.ts";
import { hubHashOf, workController } from "../work/work-controller.ts";
import type { WorkSite } from "../work/work-controller.ts";
import { clusterStatus, memberConditions } from "./cluster-status.ts";
import type { Credentials } from "./credentials.ts";
import { hasDeparted, returned } from "./departure.ts";
import type { KerbHost } from "./operations/host.ts";
import { managedNamespacesAt } from "./managed-namespaces.ts";
import { leaseRenewal } from "./lease-renewal.ts";
import { operationController, takesOperations } from "./operations/operation-controller.ts";
import { newAuthorities } from "./trust.ts";
import { offersReach, startMemberReach } from "./reach.ts";
import type { SiteApi } from "./reach.ts";

const nodes = resource("v1", "nodes");
const leases = resource("coordination.k8s.io/v1", "leases");
const statusEveryMs = 60_000;
const authorityEveryMs = 600_000;
const retryMs = 2000;
/** Whether a hub takes alarms and opens ways to sites is asked again: it may not have accepted the site yet. */
const askDelays = { firstMs: 5000, maxMs: 3_600_000 };
/** Ends what repeats. */
const never = Number.POSITIVE_INFINITY;
const defaultLeaseSeconds = 60;

export interface MemberSite {
  client: Client;
  informers: Informers;
  discover: () => Promise<DiscoveredResource[]>;
  /** Of Kubernetes, as it is now. */
  version: () => Promise<string>;
  /** Whether the cluster is a Kerb. */
  isKerb: boolean;
  /** Of the IANA. */
  timeZone: string;
  /** Makes expressions of works' rules work. */
  loadRules: WorkSite["loadRules"];
  /** Absent: nobody reaches it through its hub. */
  api?: SiteApi;
  /** What it can do to itself; absent for clusters of others. */
  kerb?: KerbHost;
}

export interface SessionOptions {
  site: MemberSite;
  hub: Client;
  credentials: Credentials;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
  /** The hub does not know this certificate (any more). */
  refused: (why: string) => void;
  /** The hub's authorities, while they change. */
  trust: (ca: string) => void;
  /** The hub answers, and should again within this time. */
  heard: (withinMs: number) => void;
  /** The hub let the site go, and has back all that it gave. */
  released: () => Promise<void>;
}

class Session {
  readonly #options: SessionOptions;
  readonly #informers: Informers;
  readonly #cluster: Informer;
  readonly #works: Informer;
  #lease: ReturnType<typeof leaseRenewal> | undefined;
  /** Whether the status was told before: from then on the site may be on its way to another hub. */
  #said = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { hub, clock, log, scope, credentials } = options;
    this.#informers = new Informers({ client: hub, clock, log, scope, lists: true });
    const fieldSelector = `metadata.name=${credentials.cluster}`;
    this.#cluster = this.#informers.get({ resource: managedClusters, fieldSelector });
    const works = { resource: manifestWorks, namespace: credentials.cluster };
    this.#works = this.#informers.get(works);
  }

  get #name() {
    return this.#options.credentials.cluster;
  }

  /** Controllers that act at the hub. */
  get #atHub() {
    const { hub, clock, random, log, scope } = this.#options;
    const discover = async () => [];
    return { client: hub, informers: this.#informers, discover, clock, random, log, scope };
  }

  /** Does `step` again and again until the scope ends; it says how long to rest. */
  async repeat(what: string, step: () => Promise<number>) {
    const { clock, scope, log, refused } = this.#options;
    let failing = false;
    while (!scope.closed) {
      let restMs = retryMs;
      try {
        restMs = await step();
        failing = false;
      } catch (error) {
        if (isStatus(error, "Unauthorized")) refused((error as Error).message);
        if (!failing) log.warn(`${what} waits for the hub`, { error: (error as Error).message });
        failing = true;
      }
      if (restMs === never) return;
      await sleep(clock, restMs, scope.signal).catch(() => {});
    }
  }

  /** The site as its hub has it, which is watched and not asked for. */
  #known(): KubeObject {
    const cluster = this.#cluster.get(this.#name);
    if (cluster) return cluster;
    throw new StatusError("NotFound", `the hub shows no site ${this.#name}`);
  }

  async tellStatus(): Promise<number> {
    const { hub, site, clock } = this.#options;
    const cluster = this.#known();
    const seen = {
      version: await site.version(),
      nodes: site.informers.get({ resource: nodes }).list(),
      claims: site.informers.get({ resource: clusterClaims }).list(),
    };
    const told: Condition[] | undefined = cluster.status?.conditions;
    const back = !this.#said && hasDeparted(told) ? [returned] : [];
    const conditions = withConditions(told, [...memberConditions, ...back], clock.now());
    this.#said = true;
    const status = { ...clusterStatus(seen), conditions };
    if (differs(status, cluster.status)) {
      const { resourceVersion } = cluster.metadata;
      const target = { ...managedClusters, name: this.#name, subresource: "status" };
      const body = { metadata: { resourceVersion }, status };
      await hub.patch(target, "merge", body, { brief: true });
    }
    return statusEveryMs;
  }

  async followAuthority(): Promise<number> {
    const { hub, credentials, trust } = this.#options;
    const ca = await newAuthorities(hub, this.#name, credentials.connection.ca);
    if (ca) trust(ca);
    return authorityEveryMs;
  }

  async renewLease(): Promise<number> {
    const { hub, clock, random } = this.#options;
    const seconds = this.#known().spec?.leaseDurationSeconds ?? defaultLeaseSeconds;
    this.#lease ??= leaseRenewal(hub, { ...leases, namespace: this.#name, name: leaseName });
    await this.#lease(microTimestamp(clock.now()));
    this.#options.heard(seconds * 1000);
    return seconds * 1000 * (0.9 + 0.1 * random.float());
  }

  /** Asks until the hub says yes, less and less often. */
  #once(what: string, isOffered: () => Promise<boolean>, start: () => Promise<void>) {
    let asked = 0;
    void this.repeat(what, async () => {
      if (!(await isOffered())) return backoffMs(++asked, askDelays);
      await start();
      return never;
    });
  }

  tellAlarms() {
    const { hub, site } = this.#options;
    this.#once(
      "the alarms",
      () => takesAlarms(hub, this.#name),
      () => startControllers([alarmReport(site.informers, this.#name)], this.#atHub),
    );
  }

  takeOperations() {
    const { hub, site, credentials, clock } = this.#options;
    const { client, kerb } = site;
    const own = { client, hub: credentials.connection, clock, ...(kerb && { kerb }) };
    this.#once(
      "the operations",
      () => takesOperations(hub, this.#name),
      () => startControllers([operationController(own, this.#name)], this.#atHub),
    );
  }

  openWay() {
    const { hub, site, credentials, clock, log, scope } = this.#options;
    const { api, client } = site;
    if (!api) return;
    const { connection, cluster } = credentials;
    this.#once(
      "the way from the hub",
      () => offersReach(hub, cluster),
      () => startMemberReach({ site: client, api, connection, cluster, clock, log, scope }),
    );
  }

  /** A hub that deletes a site says so before it forgets it; silence, or a hub that lost its memory, never does. */
  followRelease() {
    const { scope, released, log } = this.#options;
    let leaving = false;
    const look = () => {
      leaving ||= this.#cluster.get(this.#name)?.metadata.deletionTimestamp !== undefined;
      if (!leaving || this.#works.list().length > 0) return;
      released().catch((error: Error) =>
        log.warn("what the site knows of its hub stays", { error: error.message }),
      );
    };
    const events = { onAdd: look, onUpdate: look, onDelete: look };
    for (const informer of [this.#cluster, this.#works]) scope.defer(informer.subscribe(events));
  }

  keepNamespaces() {
    const { site, credentials } = this.#options;
    const hash = hubHashOf(credentials.connection.server);
    return startControllers([managedNamespacesAt(site.client, this.#name, hash)], this.#atHub);
  }

  doWorks() {
    const { site, credentials } = this.#options;
    const works = workController({
      client: site.client,
      discover: site.discover,
      cluster: this.#name,
      hubUrl: credentials.connection.server,
      agentId: credentials.agent,
      loadRules: site.loadRules,
      records: () => site.informers.get({ resource: appliedManifestWorks }).list(),
    });
    return startControllers([works], this.#atHub);
  }
}

/** Resolves once the hub's works are followed; everything else is retried by itself. */
export async function startSession(options: SessionOptions): Promise<void> {
  const { site } = options;
  const session = new Session(options);
  await Promise.all(
    [nodes, clusterClaims, appliedManifestWorks].map((one) =>
      site.informers.get({ resource: one }).synced(),
    ),
  );
  void session.repeat("the lease", () => session.renewLease());
  void session.repeat("the authority", () => session.followAuthority());
  void session.repeat("the status", () => session.tellStatus());
  session.tellAlarms();
  session.openWay();
  session.takeOperations();
  await Promise.all([session.doWorks(), session.keepNamespaces()]);
  session.followRelease();
}
