// The API server of a site with everything behind it: store, certificates, authentication, admission.
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import type { DiscoveredResource } from "../../controllers/runtime.ts";
import { returningNode } from "../../lib/returning-node.ts";
import { returningSite } from "../../hub/registration/returning.ts";
import type { Kinds } from "../../kinds/kinds.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeConnection, NodeConnector } from "../../lib/node-connection.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { startTypeChecking } from "../../server/admission/policies/type-checking.ts";
import { clusterKubeconfig } from "../../server/auth/kubeconfig.ts";
import type { AuthenticationConfiguration } from "../../server/auth/oidc/configuration.ts";
import { openPki } from "../../server/auth/pki.ts";
import type { Pki } from "../../server/auth/pki.ts";
import { listen } from "../../server/http/listener.ts";
import type { Listener } from "../../server/http/listener.ts";
import { plugMetrics } from "../../server/metrics-api/metrics-api.ts";
import type { ApiServer } from "../../server/server.ts";
import { Tunnels } from "../../server/tunnel/tunnels.ts";
import type { Backend } from "../../store/backend.ts";
import { startCompaction } from "../../store/compaction.ts";
import { openLmdbStore } from "../../store/lmdb.ts";
import type { Store } from "../../store/store.ts";
import { openApiServer } from "./api-server.ts";
import { openAudit } from "./audit-log.ts";
import type { AuditFiles } from "./audit-log.ts";
import { plugAuthority, plugNoAuthority, SiteAuthority } from "./authority.ts";
import { plugBackup, plugNoBackup } from "../backup/plug.ts";
import { clusterDomain } from "../config.ts";
import { pkiFiles, replaceFile } from "../files.ts";
import { openSecretKeys } from "./secret-keys.ts";
import type { SecretKeys } from "./secret-keys.ts";
import { plugNoRotation, plugSecrets } from "./secret-rotation.ts";
import { familiesOf } from "./site-settings.ts";
import type { SiteAddresses } from "./site-settings.ts";

export interface ControlPlaneOptions {
  directory: string;
  name: string;
  port: number;
  addresses: SiteAddresses;
  /** Of the node in this process; undefined for any other. */
  ownNode: (name: string) => NodeConnection | undefined;
  audit?: AuditFiles;
  authentication?: AuthenticationConfiguration;
  /** Whether sites come back to it with expired certificates. */
  hub?: boolean;
  /** `etcd://…` when the objects are there. */
  store?: string;
  /** Further addresses that its certificate names. */
  listen?: string[];
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

export interface ControlPlane {
  server: ApiServer;
  kinds: Kinds;
  pki: Pki;
  authority: SiteAuthority;
  kubeconfig: string;
  port: number;
  /** A client inside this process that acts as a part of the control plane. */
  client(name: string): Client;
  discover(): Promise<DiscoveredResource[]>;
  /** Throws StatusError when the node is not reachable. */
  connect: NodeConnector;
  /** Opens the port on `hosts`. */
  listen(hosts: string[]): Promise<void>;
}

async function listenOn(host: string, open: (host: string) => Promise<Listener>, port: number) {
  try {
    return await open(host);
  } catch (error) {
    const trouble = {
      EADDRINUSE: `port ${port} on ${host} is already in use by another program; choose another with --port`,
      EADDRNOTAVAIL: `${host} is no address of this machine (see: ip address); choose another with --listen`,
      EACCES: `port ${port} may be opened by root only; choose one from 1024 up with --port`,
    }[(error as NodeJS.ErrnoException).code ?? ""];
    throw trouble === undefined ? error : new Error(trouble, { cause: error });
  }
}

async function openStore(
  { directory, store, clock, random, log }: ControlPlaneOptions,
  keys: SecretKeys,
): Promise<Store> {
  const room = log.with({ room: "store" });
  if (!store) {
    const transform = (durable: Backend) => keys.seal(durable);
    return openLmdbStore(join(directory, "store"), { clock, log: room, transform });
  }
  const { openEtcdStore } = await import("../../store/etcd/etcd-store.ts");
  return openEtcdStore({ address: store, form: keys.form(), clock, random, log: room });
}

/** Opens the data and makes the server; nothing listens yet. */
export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { directory, addresses, port, clock, random, log, scope } = options;
  const keys = openSecretKeys(directory, clock);
  const tunnels = new Tunnels({ clock, log: log.with({ room: "tunnels" }) });
  const connect: NodeConnector = async (name) =>
    options.ownNode(name) ?? tunnels.connectionTo(name);
  const [store, pki] = await Promise.all([
    openStore(options, keys),
    openPki(pkiFiles(join(directory, "pki")), {
      clock,
      names: [addresses.apiServiceIp, addresses.gateway, options.name, ...(options.listen ?? [])],
      clusterDomain,
    }),
  ]);
  scope.defer(() => store.close());
  scope.defer(startCompaction(store, { clock, log }));
  const { server, kinds, auth, client, discover, publish } = await openApiServer({
    store,
    pki,
    serviceCidrs: familiesOf(addresses).map(({ serviceCidr }) => serviceCidr),
    apiAddress: addresses.apiServiceIp,
    securePort: port,
    nodeConnector: connect,
    ...(options.authentication && { authentication: options.authentication }),
    returning: (user) => (options.hub && returningSite(user)) || returningNode(user),
    ...(options.audit && { audit: openAudit(options.audit, { log, scope }) }),
    clock,
    random,
    log,
    scope,
  });

  scope.defer(() => tunnels.close());
  tunnels.plug(server.plugs);
  startTypeChecking({ server, log, scope });
  plugMetrics(server);

  const authority = new SiteAuthority({ pki, client: client("system:kerb"), node: options.name });
  if (options.store) {
    plugNoRotation(server.plugs);
    plugNoBackup(server.plugs);
    plugNoAuthority(server.plugs);
  } else {
    plugSecrets(server.plugs, { keys, store, log: log.with({ room: "secrets" }), scope });
    plugBackup(server.plugs, { directory, store, kinds });
    plugAuthority(server.plugs, authority);
  }
  const kubeconfig = join(directory, "kubeconfig");
  const writeKubeconfig = () => {
    const { cert, key } = pki.admin();
    const at = `https://127.0.0.1:${port}`;
    replaceFile(
      kubeconfig,
      clusterKubeconfig({ server: at, ca: pki.ca(), cert, key, name: options.name }),
    );
  };
  writeKubeconfig();
  // With its authority, so that a machine which knows its hash alone can tell it.
  const tls = () => {
    const { cert, key } = pki.serving();
    return { cert: cert + pki.ca(), key, clientCa: pki.ca() };
  };
  const listeners: Listener[] = [];
  pki.startRenewal(scope, () => {
    writeKubeconfig();
    publish().catch((error) =>
      log.warn("certificates are not published", { error: String(error) }),
    );
    for (const listener of listeners) listener.setTls(tls());
  });
  return {
    server,
    kinds,
    pki,
    kubeconfig,
    port,
    authority,
    client,
    discover,
    connect,
    listen: async (hosts) => {
      for (const host of hosts) {
        const open = (at: string) =>
          listen(server, {
            host: at,
            port,
            tls: tls(),
            authenticate: auth.authenticate,
            clock,
            log: log.with({ room: "server" }),
          });
        const listener = await listenOn(host, open, port);
        listeners.push(listener);
        scope.defer(() => listener.close());
      }
    },
  };
}
