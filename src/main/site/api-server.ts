// The Kubernetes API over a store and certificates, wherever they come from: a site keeps both on disk, a
// test server in memory, and the stand-in for kube-apiserver takes them from whoever starts it.
import type { Client } from "../../client/client.ts";
import { localClient } from "../../client/local.ts";
import type { DiscoveredResource } from "../../controllers/runtime.ts";
import { builtinKinds, compareVersions } from "../../kinds/kinds.ts";
import type { Kinds } from "../../kinds/kinds.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { admissionPlugins } from "../../server/admission/admission.ts";
import { startAggregation } from "../../server/aggregation/aggregation.ts";
import { publishAuthentication } from "../../server/aggregation/publish-authentication.ts";
import { dialService } from "../../server/aggregation/route.ts";
import { Auditor } from "../../server/audit/auditor.ts";
import type { AuditOptions } from "../../server/audit/auditor.ts";
import { openAuth } from "../../server/auth/auth.ts";
import type { Auth, AuthOptions } from "../../server/auth/auth.ts";
import type { AuthenticationConfiguration } from "../../server/auth/oidc/configuration.ts";
import { bootstrapPolicy } from "../../server/auth/bootstrap.ts";
import type { Pki } from "../../server/auth/pki.ts";
import { bootstrap } from "../../server/bootstrap.ts";
import { webhookConversion } from "../../server/extensions/conversion.ts";
import { crdAdmission } from "../../server/extensions/crd-admission.ts";
import { startCrdController } from "../../server/extensions/crd-controller.ts";
import { FlowControl } from "../../server/flow-control/flow-control.ts";
import type { Plugs } from "../../server/policy.ts";
import { plugProxy } from "../../server/proxy/proxy.ts";
import type { Remotes } from "../../server/remotes.ts";
import { createServer } from "../../server/server.ts";
import type { ApiServer } from "../../server/server.ts";
import { plugStreams } from "../../server/streams/streams.ts";
import type { Store } from "../../store/store.ts";
import { clusterDomain } from "../config.ts";

/** Everything served now, preferred versions first. */
export function discovered(kinds: Kinds): DiscoveredResource[] {
  return kinds
    .all()
    .filter((kind) => !kind.virtual)
    .sort((a, b) => compareVersions(a.version, b.version))
    .map(({ group, version, plural, kind, namespaced, verbs }) => ({
      group,
      version,
      resource: plural,
      kind,
      namespaced,
      verbs,
    }));
}

/** What other servers behind this one serve. */
const discoveredRemotely = (remotes: Remotes): DiscoveredResource[] =>
  remotes.versions().flatMap(({ group, version, resources }) =>
    resources.map(({ resource, responseKind, scope, verbs }) => ({
      group,
      version,
      resource,
      kind: responseKind.kind,
      namespaced: scope === "Namespaced",
      verbs,
      remote: true,
    })),
  );

export interface ApiServerOptions {
  store: Store;
  pki: Pki;
  serviceCidrs: string[];
  /** The address of the Service `kubernetes`; by default the first of the range. */
  apiAddress?: string;
  securePort: number;
  nodeConnector?: NodeConnector;
  /** Who signs service-account tokens; by default the Service `kubernetes`. */
  issuer?: string;
  authentication?: AuthenticationConfiguration;
  /** What the holder of an expired certificate still is; by default nobody. */
  returning?: NonNullable<AuthOptions["returning"]>;
  /** Everybody may do everything. */
  allowAll?: boolean;
  /** Names of admission plugins that are left out. */
  admissionOff?: string[];
  /** Absent: nothing is written down. */
  audit?: Pick<AuditOptions, "policy" | "write">;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

export interface OpenApiServer {
  server: ApiServer;
  kinds: Kinds;
  auth: Auth;
  /** A client inside this process that acts as a part of the control plane. */
  client(name: string): Client;
  discover(): Promise<DiscoveredResource[]>;
  /** Tells other servers whom to trust; again when certificates change. */
  publish(): Promise<void>;
}

/** Makes the server and the objects every cluster begins with; nothing listens yet. */
export async function openApiServer(options: ApiServerOptions): Promise<OpenApiServer> {
  const { store, pki, serviceCidrs, apiAddress, securePort, clock, random, log, scope } = options;
  const kinds = builtinKinds();
  const auth = await openAuth(
    {
      store,
      pki,
      clock,
      random,
      clusterDomain,
      log: log.with({ room: "auth" }),
      ...(options.issuer && { issuer: options.issuer }),
      ...(options.authentication && { authentication: options.authentication }),
      ...(options.returning && { returning: options.returning }),
    },
    scope,
  );
  const plugs: Plugs = {
    subresources: new Map(),
    upgrades: new Map(),
    reviews: new Map(),
    paths: new Map(),
  };
  auth.plug(plugs);
  plugStreams(plugs);
  plugProxy(plugs);
  const dial = (service: Parameters<typeof dialService>[1]) => dialService(server, service);
  const plugins = admissionPlugins({
    store,
    kinds,
    clock,
    random,
    log: log.with({ room: "admission" }),
    authorize: auth.authorize,
    dialService: dial,
  });
  const flow = new FlowControl({ store, clock });
  const server: ApiServer = createServer({
    flow,
    store,
    kinds,
    clock,
    random,
    log: log.with({ room: "server" }),
    ...(!options.allowAll && { authorize: auth.authorize }),
    admission: [
      ...plugins.filter(({ name }) => !options.admissionOff?.includes(name)),
      crdAdmission,
      auth.escalation,
    ],
    plugs,
    serviceCidrs,
    ...(options.nodeConnector && { nodeConnector: options.nodeConnector }),
    ...(options.audit && { audit: new Auditor({ ...options.audit, clock, random }) }),
  });
  scope.defer(() => server.close());
  const { health } = server;
  const convert = webhookConversion({ clock, random, dialService: dial });
  const definitions = startCrdController({ store, kinds, clock, log, scope, convert });
  await health.hook("start-apiextensions-controllers", definitions);
  await health.hook("priority-and-fairness-config-consumer", flow.start(scope));
  const first = { securePort, serviceCidrs, ...(apiAddress && { apiAddress }) };
  await health.hook("bootstrap-controller", bootstrap(server, first));
  const publish = () =>
    publishAuthentication(server, { clientCa: pki.ca(), requestHeaderCa: pki.frontProxy().ca });
  const aggregation = startAggregation({
    server,
    clock,
    log: log.with({ room: "aggregation" }),
    scope,
    identity: () => pki.frontProxy().pair,
  });
  const [remotes] = await Promise.all([
    health.hook("apiservice-registration-controller", aggregation),
    health.hook("rbac/bootstrap-roles", bootstrapPolicy(server)),
    health.hook("start-cluster-authentication-info-controller", publish()),
  ]);
  return {
    server,
    kinds,
    auth,
    client: (name) => localClient(server, { name, groups: ["system:masters"] }, name),
    discover: async () => [...discovered(kinds), ...discoveredRemotely(remotes)],
    publish,
  };
}
