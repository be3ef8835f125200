// The member agent: comes to a hub with what `kerb attach` left in a Secret, asks for a certificate, and
// from then on is the site's voice there. Starts over when the Secrets change.
import type { Client } from "../../client/client.ts";
import { ensureDefinitions } from "../../client/definitions.ts";
import type { Connection } from "../../client/kubeconfig.ts";
import { startControllers } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { backoffMs } from "../../lib/backoff.ts";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { alarmController } from "../alarms/alarm-controller.ts";
import { ensureRules } from "../alarms/built-in-rules.ts";
import { managedClusters, memberDefinitions } from "../kinds/resources.ts";
import { agentNamespace, bootstrapSecret, hubSecret, standbySecret } from "../names.ts";
import { appliedWork } from "../work/applied-work.ts";
import { askCertificate } from "./certificate.ts";
import type { MakeRequest } from "./certificate.ts";
import { ensureClaims } from "./claims.ts";
import {
  bootstrapOf,
  credentialsOf,
  forgetHub,
  isDueForRenewal,
  isInvitation,
  kubeconfigOf,
  saveCredentials,
  saveSecret,
  secrets,
} from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { movedTo, sayDeparted } from "./departure.ts";
import { isOfPrevious, shareAuthority } from "./trust.ts";
import { watchHub } from "./standby.ts";
import { dropAdministrators } from "./reach.ts";
import { startSession } from "./session.ts";
import type { MemberSite } from "./session.ts";

const retryMs = 5000;
const delays = { firstMs: 2000, maxMs: 60_000 };
const farewellMsMax = 5000;
const renewalEveryMs = 3_600_000;
const renewalMsMin = 12 * renewalEveryMs;
const renewalDelays = { firstMs: 5000, maxMs: renewalEveryMs };
/** Certificates that say they live longer are renewed as if they lived so long. */
const lifeMsMax = 365 * 86_400_000;

export interface MemberOptions {
  site: MemberSite;
  connect: (connection: Connection) => Client & { close(): void };
  makeRequest: MakeRequest;
  /** Whether alarms are to be kept; a hub keeps its own. */
  alarms: boolean;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

const isSameHub = (one: Connection, other: Connection) =>
  one.server === other.server && shareAuthority(one.ca, other.ca);

type Invitation = ReturnType<typeof bootstrapOf>;

/** To the hub that the site is a member of, and to the one for when that is gone. */
interface Invitations {
  here?: Invitation | undefined;
  elsewhere?: Invitation | undefined;
}

class Member {
  readonly #options: MemberOptions;
  #session: { scope: Scope; shown: string } | undefined;
  #renewedMs = Number.NEGATIVE_INFINITY;

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  #secret(name: string): KubeObject | undefined {
    const { informers } = this.#options.site;
    return informers
      .get({ resource: secrets, namespace: agentNamespace })
      .get(name, agentNamespace);
  }

  /** What the Secrets say now, as text, so that a change is seen. */
  #shown = () =>
    JSON.stringify(
      [bootstrapSecret, standbySecret, hubSecret].map((name) => this.#secret(name)?.["data"]),
    );

  look() {
    const { scope, log } = this.#options;
    const shown = this.#shown();
    if (scope.closed || shown === this.#session?.shown) return;
    const before = this.#session;
    const session = { scope: scope.child(), shown };
    this.#session = session;
    void (async () => {
      await before?.scope.close();
      await this.#keep(session.scope);
    })().catch((error) => {
      if (!scope.closed) log.error("the member agent stopped", { error: String(error) });
    });
  }

  /** Comes to the hub, however often its own cluster or the Secrets' content stand in the way. */
  async #keep(scope: Scope) {
    const { clock, log } = this.#options;
    for (let failures = 1; !scope.closed; failures++) {
      const attempt = scope.child();
      try {
        return await this.#run(attempt);
      } catch (error) {
        if (scope.closed) return;
        log.warn("the hub is not reached", { error: (error as Error).message });
        await attempt.close();
        await sleep(clock, backoffMs(failures, delays), scope.signal).catch(() => {});
      }
    }
  }

  async #run(scope: Scope) {
    const invitations = [bootstrapSecret, standbySecret].flatMap((name) => {
      const secret = this.#secret(name);
      return secret && isInvitation(secret) ? bootstrapOf(secret) : [];
    });
    const known = this.#secret(hubSecret);
    const credentials = known && credentialsOf(known);
    // Whether they ran out is the hub's to say: this clock may be wrong.
    if (!credentials) {
      if (invitations[0]) await this.#come(invitations[0], scope);
      return;
    }
    const isHere = ({ connection }: Invitation) => isSameHub(connection, credentials.connection);
    const here = invitations.find(isHere);
    const elsewhere = invitations.find((one) => !isHere(one));
    if (here || !elsewhere) return this.#stay(credentials, scope, { here, elsewhere });
    // Until the other hub takes it, the site belongs where it was.
    this.#come(elsewhere, scope, credentials).catch(() => {});
    await this.#stay(credentials, scope);
  }

  /** With the invitation: an object, a certificate. The Secret that holds it starts the next run. */
  async #come({ connection, cluster }: Invitation, scope: Scope, former?: Credentials) {
    const { site, connect, makeRequest, clock, random, log } = this.#options;
    const hub = connect(connection);
    scope.defer(() => hub.close());
    const agent = random.suffix(10);
    for (;;) {
      try {
        await this.#introduce(hub, cluster);
        const waiting = (request: string) =>
          log.info("waiting for the hub's people", { request, cluster });
        const { signal } = scope;
        const asking = { hub, cluster, agent, makeRequest, clock, signal, waiting };
        const issued = await askCertificate(asking);
        if (former) await this.#leave(former, connection.server);
        return await saveCredentials(site.client, connection, { ...issued, cluster, agent });
      } catch (error) {
        scope.signal.throwIfAborted();
        log.warn("the hub does not take this site yet", { error: (error as Error).message });
        await sleep(clock, retryMs, scope.signal);
      }
    }
  }

  /** Tells the hub it had, if that still answers. */
  async #leave({ connection, cluster }: Credentials, server: string) {
    const { connect, clock } = this.#options;
    const hub = connect(connection);
    const told = sayDeparted(hub, cluster, { condition: movedTo(server), clock }).catch(() => {});
    await Promise.race([told, sleep(clock, farewellMsMax)]);
    hub.close();
  }

  /** The same hub by its other authorities; what is written starts the next run. */
  async #trust(
    { connection, cluster, agent }: Credentials,
    here: Invitation | undefined,
    ca: string,
  ) {
    const { client } = this.#options.site;
    const { server, cert, key } = connection;
    const bootstrap = here && this.#secret(bootstrapSecret);
    if (bootstrap && isSameHub(bootstrapOf(bootstrap).connection, connection)) {
      const { token, cert: ownCert, key: ownKey } = here.connection;
      const base64 = (pem = "") => Buffer.from(pem).toString("base64");
      const user = token
        ? { token: token() }
        : { "client-certificate-data": base64(ownCert), "client-key-data": base64(ownKey) };
      const kubeconfig = kubeconfigOf({ server, ca }, user);
      await saveSecret(client, bootstrapSecret, { kubeconfig, "cluster-name": here.cluster });
    }
    await saveCredentials(client, { server, ca }, { cert: cert!, key: key!, cluster, agent });
  }

  async #introduce(hub: Client, name: string) {
    const cluster = {
      apiVersion: "cluster.open-cluster-management.io/v1",
      kind: "ManagedCluster",
      metadata: { name },
      spec: { hubAcceptsClient: false },
    };
    await hub.create(managedClusters, cluster).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists", "Forbidden")) throw error;
    });
  }

  /** Until the scope ends, which a new certificate in its Secret does. */
  async #keepRenewed(credentials: Credentials, renew: () => Promise<void>, scope: Scope) {
    const { clock, log } = this.#options;
    let failures = 0;
    while (!scope.closed) {
      const { cert, ca } = credentials.connection;
      // By a clock that is years ahead every certificate is old: that is no reason to ask again and again.
      const isFresh = clock.monotonic() - this.#renewedMs < renewalMsMin;
      const isOld = !isFresh && isDueForRenewal(credentials, lifeMsMax, clock.now());
      try {
        if (isOld || isOfPrevious(cert!, ca)) await renew();
        failures = 0;
      } catch (error) {
        if (scope.closed) return;
        failures++;
        const { message } = error as Error;
        log.warn("the certificate for the hub is not renewed", { error: message });
      }
      const restMs = failures > 0 ? backoffMs(failures, renewalDelays) : renewalEveryMs;
      await sleep(clock, restMs, scope.signal).catch(() => {});
    }
  }

  async #stay(credentials: Credentials, scope: Scope, { here, elsewhere }: Invitations = {}) {
    const { site, connect, makeRequest, clock, random, log } = this.#options;
    const hub = connect(credentials.connection);
    scope.defer(() => hub.close());
    const { connection, cluster, agent } = credentials;
    let asked = false;
    const refused = (why: string) => {
      log.warn("the hub does not know this site's certificate", { why });
      if (asked || !here) return;
      asked = true;
      void this.#come(here, scope).catch(() => {});
    };
    const { signal } = scope;
    const renew = async () => {
      const asking = { hub, cluster, agent, makeRequest, clock, signal, waiting: () => {} };
      const issued = await askCertificate(asking);
      this.#renewedMs = clock.monotonic();
      await saveCredentials(site.client, connection, { ...issued, cluster, agent });
    };
    void this.#keepRenewed(credentials, renew, scope);
    const heard = watchHub({
      silent: (during) => elsewhere && this.#come(elsewhere, during),
      ...{ clock, log, scope },
    });
    await ensureClaims(site);
    const trust = (ca: string) => void this.#trust(credentials, here, ca).catch(() => {});
    const released = async () => {
      log.info("the hub let this site go", { hub: connection.server, cluster });
      await dropAdministrators(site.client);
      await forgetHub(site.client);
    };
    const told = { refused, heard, trust, released };
    await startSession({ site, hub, credentials, clock, random, log, scope, ...told });
    log.info("attached to the hub", { hub: connection.server, cluster });
  }
}

/** What a site has for itself once it may be somebody's member. */
async function prepare({ site, alarms, clock, random, log, scope }: MemberOptions) {
  await ensureDefinitions(site.client, clock, memberDefinitions);
  const controllers = [appliedWork];
  if (alarms) {
    await ensureRules(site.client, "site");
    controllers.push(alarmController(site.informers, scope));
  }
  await startControllers(controllers, { ...site, clock, random, log, scope });
}

/** Follows the Secrets; resolves at once, since a hub may be far away. */
export async function startMember(options: MemberOptions): Promise<void> {
  const { site, scope } = options;
  const informer = site.informers.get({ resource: secrets, namespace: agentNamespace });
  await informer.synced();
  let ready: Promise<void> | undefined;
  const member = new Member(options);
  const look = () => {
    // Sites without a hub serve none of its kinds.
    ready ??= prepare(options);
    ready.then(
      () => member.look(),
      (error: Error) => {
        if (scope.closed) return;
        options.log.warn("the site is not ready for a hub", { error: error.message });
        ready = undefined;
        options.clock.after(retryMs, look);
      },
    );
  };
  scope.defer(informer.subscribe({ onAdd: look, onUpdate: look, onDelete: look }));
}
