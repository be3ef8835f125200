// A site at its hub, with a certificate: it renews its lease, says what it has, does its works, and renews
// its certificate. All of it goes on by itself when the link is back.
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { Informers } from "../../client/informers.ts";
import { startControllers } from "../../controllers/runtime.ts";
import type { DiscoveredResource } from "../../controllers/runtime.ts";
import { microTimestamp, sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { differs } from "../../lib/differs.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { alarmReport, takesAlarms } from "../alarms/report.ts";
import { withConditions } from "../conditions.ts";
import type { Condition } from "../conditions.ts";
import { appliedManifestWorks, clusterClaims, managedClusters } from "../kinds/resources.ts";
import { leaseName } from "../names.ts";
import { workController } from "../work/work-controller.ts";
import type { WorkSite } from "../work/work-controller.ts";
import { clusterStatus, memberConditions } from "./cluster-status.ts";
import type { Credentials } from "./credentials.ts";
import { hasDeparted, returned } from "./departure.ts";
import { newAuthorities } from "./trust.ts";
import { startMemberReach } from "./reach.ts";
import type { SiteApi } from "./reach.ts";

const nodes = resource("v1", "nodes");
const leases = resource("coordination.k8s.io/v1", "leases");
const statusEveryMs = 60_000;
const retryMs = 2000;
/** A hub may come to have alarms. */
const takesAlarmsEveryMs = 3_600_000;
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
  /** The hub answers; told every minute. */
  heard: () => void;
}

class Session {
  readonly #options: SessionOptions;
  /** Whether the status was told before: from then on the site may be on its way to another hub. */
  #said = false;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get #target() {
    return { ...managedClusters, name: this.#options.credentials.cluster };
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
      await sleep(clock, restMs, scope.signal).catch(() => {});
    }
  }

  async tellStatus(): Promise<number> {
    const { hub, site, clock } = this.#options;
    const cluster = await hub.get(this.#target);
    this.#options.heard();
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
      const target = { ...this.#target, subresource: "status" };
      await hub.patch(target, "merge", { metadata: { resourceVersion }, status });
    }
    return statusEveryMs;
  }

  async followAuthority(): Promise<number> {
    const { hub, credentials, trust } = this.#options;
    const { connection, cluster } = credentials;
    const ca = await newAuthorities(hub, cluster, connection.ca);
    if (ca) trust(ca);
    return statusEveryMs;
  }

  async renewLease(): Promise<number> {
    const { hub, clock, random, credentials } = this.#options;
    const { spec } = await hub.get(this.#target);
    const seconds = spec?.leaseDurationSeconds ?? defaultLeaseSeconds;
    const target = { ...leases, namespace: credentials.cluster, name: leaseName };
    const lease = await hub.get(target);
    const renewTime = microTimestamp(clock.now());
    await hub.update(target, { ...lease, spec: { ...lease.spec, renewTime } });
    return seconds * 1000 * (0.9 + 0.1 * random.float());
  }
}

/** Resolves once the hub's works are followed; everything else is retried by itself. */
export async function startSession(options: SessionOptions): Promise<void> {
  const { site, hub, credentials, clock, random, log, scope } = options;
  const session = new Session(options);
  await Promise.all(
    [nodes, clusterClaims, appliedManifestWorks].map((one) =>
      site.informers.get({ resource: one }).synced(),
    ),
  );
  void session.repeat("the lease", () => session.renewLease());
  void session.repeat("the authority", () => session.followAuthority());
  void session.repeat("the status", () => session.tellStatus());
  const informers = new Informers({ client: hub, clock, log, scope });
  const works = workController({
    client: site.client,
    discover: site.discover,
    cluster: credentials.cluster,
    hubUrl: credentials.connection.server,
    agentId: credentials.agent,
    loadRules: site.loadRules,
    records: () => site.informers.get({ resource: appliedManifestWorks }).list(),
  });
  const discover = async () => [];
  const { cluster } = credentials;
  let tells = false;
  void session.repeat("the alarms", async () => {
    if (tells || !(await takesAlarms(hub, cluster))) return takesAlarmsEveryMs;
    tells = true;
    const report = alarmReport(site.informers, cluster);
    await startControllers([report], {
      client: hub,
      informers,
      discover,
      clock,
      random,
      log,
      scope,
    });
    return takesAlarmsEveryMs;
  });
  await startControllers([works], {
    client: hub,
    informers,
    discover,
    clock,
    random,
    log,
    scope,
  });
  if (!site.api) return;
  const { connection } = credentials;
  const where = { site: site.client, api: site.api, connection, cluster };
  await startMemberReach({ ...where, clock, log, scope });
}
