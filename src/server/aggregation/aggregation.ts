// APIService aggregation: makes the APIServices of this server, watches those of others, checks whether
// they can be asked, and passes requests on to them.
import { backoffMs } from "../../lib/backoff.ts";
import { timestamp, type Clock } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Log } from "../../lib/log.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus, StatusError } from "../../lib/status-error.ts";
import { WorkQueue } from "../../lib/work-queue.ts";
import type { Draft } from "../../kinds/object.ts";
import type { StoreEvent } from "../../store/store.ts";
import type { KeyPair } from "../auth/authority.ts";
import { loopback } from "../bootstrap.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";
import { connected } from "../../lib/proxy/forward.ts";
import { KeptConnections } from "../../lib/proxy/kept-connections.ts";
import { passOn, passOnUpgrade } from "../proxy/pass-on.ts";
import type { Remotes, RemoteVersion } from "../remotes.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import type { ApiServer } from "../server.ts";
import { type ApiService, apiServicePrefix, isAvailable, rootOf } from "./api-service.ts";
import { checkRemote, local, type Verdict } from "./availability.ts";
import { decodedAnswer, encoded } from "./in-process.ts";
import { planLocal, wantedServices } from "./local-services.ts";
import { builtinPriority } from "./priorities.ts";
import { RemoteOpenApi } from "./remote-openapi.ts";
import { discoveredResources } from "./resources.ts";
import { identityHeaders, routeTo } from "./route.ts";

/** Time between two checks of another server. */
const checkEveryMs = 30_000;

/** Time after the first check that failed; it doubles with every other. */
const checkAgainMs = 500;

/** Other servers asked at once. */
const checksMax = 4;

const localKey = "local";

export interface AggregationOptions {
  server: ApiServer;
  clock: Clock;
  log: Log;
  scope: Scope;
  /** Our certificate of a front proxy, as it is now. */
  identity: () => KeyPair;
}

interface Remote {
  service: ApiService;
  discovered: RemoteVersion | undefined;
  /** Checks that failed since the last that passed. */
  failures: number;
  kept: KeptConnections;
  stop: () => void;
}

const nameOf = (key: string) => key.slice(apiServicePrefix.length);
const collection = "/apis/apiregistration.k8s.io/v1/apiservices";

const unavailable = () => new StatusError("ServiceUnavailable", "service unavailable");

class Aggregation implements Remotes {
  readonly #options: AggregationOptions;
  readonly #services = new Map<string, ApiService>();
  /** By `group/version`. */
  readonly #remotes = new Map<string, Remote>();
  readonly #queue: WorkQueue;
  readonly #openApi: RemoteOpenApi;
  #generation = 0;

  constructor(options: AggregationOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#openApi = new RemoteOpenApi(options.server);
    this.#queue = new WorkQueue({
      clock,
      workers: checksMax,
      work: (key) => (key === localKey ? this.#settleLocal() : this.#check(key)),
      onError: (key, error) => log.warn("an APIService waits", { key, error: String(error) }),
    });
  }

  async start() {
    const { server, scope } = this.#options;
    scope.defer(() => this.#queue.stop());
    scope.defer(server.store.subscribe(apiServicePrefix, (events) => this.#onEvents(events)));
    const page = await server.store.list(apiServicePrefix);
    for (const { key, value } of page.entries) {
      if (!this.#services.has(nameOf(key))) this.#put(parseShared<ApiService>(value));
    }
    scope.defer(server.kinds.onChange(() => this.#queue.add(localKey)));
    scope.defer(() => {
      for (const { stop } of this.#remotes.values()) stop();
    });
    await this.#settleLocal();
  }

  generation() {
    return this.#generation;
  }

  versions() {
    return [...this.#remotes.values()].map(({ service: { spec }, discovered }): RemoteVersion => {
      const { group = "", version } = spec;
      return discovered ?? { group, version, resources: [], freshness: "Stale" };
    });
  }

  priority(group: string, version: string) {
    const spec = this.#services.get(`${version}.${group}`)?.spec;
    if (!spec) return builtinPriority(group, version);
    return { group: spec.groupPriorityMinimum, version: spec.versionPriority };
  }

  serves(path: string) {
    return this.#remotes.size > 0 && this.#find(path) !== undefined;
  }

  async handle(request: ApiRequest): Promise<ApiResponse> {
    const response = await passOn(encoded(request), this.#passage(request));
    return request.decoded ? decodedAnswer(request, response) : response;
  }

  async openApiIndex() {
    const entries = this.#available().map(async ({ service: { spec }, route }) => {
      const name = rootOf(spec);
      const index = await this.#openApi.get(route, "/openapi/v3");
      const url: string | undefined = index?.paths?.[name]?.serverRelativeURL;
      if (!url) return [];
      const hash = url.includes("?") ? url.slice(url.indexOf("?")) : "";
      return [[name, { serverRelativeURL: `/openapi/v3/${name}${hash}` }] as const];
    });
    return Object.fromEntries((await Promise.all(entries)).flat());
  }

  async openApiDocument(name: string) {
    const found = this.#available().find(({ service }) => rootOf(service.spec) === name);
    if (!found) return undefined;
    const index = await this.#openApi.get(found.route, "/openapi/v3");
    const url: string | undefined = index?.paths?.[name]?.serverRelativeURL;
    return url && this.#openApi.get(found.route, url);
  }

  async swaggers() {
    const fetched = this.#available().map(async ({ service: { spec }, route }) => {
      const document = await this.#openApi.get(route, "/openapi/v2");
      return document ? [{ root: `/${rootOf(spec)}`, document }] : [];
    });
    return (await Promise.all(fetched)).flat();
  }

  #available() {
    return [...this.#remotes.values()]
      .filter(({ service }) => isAvailable(service))
      .map(({ service }) => ({ service, route: this.#route(service) }));
  }

  async upgrade(request: ApiRequest, upgrade: UpgradeSocket) {
    await passOnUpgrade(request, this.#passage(request), upgrade);
  }

  #find(path: string): Remote | undefined {
    const [root, group, version] = path.split("/").filter((segment) => segment !== "");
    return root === "apis" ? this.#remotes.get(`${group}/${version}`) : undefined;
  }

  #passage(request: ApiRequest) {
    const { service, kept } = this.#find(request.path) ?? {};
    if (!service || !kept || !isAvailable(service)) throw unavailable();
    const query = request.query.toString();
    const path = request.url ?? encodeURI(request.path) + (query && `?${query}`);
    return { ...this.#route(service), kept, path, headers: identityHeaders(request.user) };
  }

  #route({ spec }: ApiService) {
    return routeTo(this.#options.server, spec, this.#options.identity());
  }

  #onEvents(events: StoreEvent[]) {
    for (const { type, key, value } of events) {
      if (type === "delete") this.#drop(nameOf(key));
      else this.#put(parseShared<ApiService>(value));
    }
  }

  #put(service: ApiService) {
    const { name } = service.metadata;
    const { group, version } = service.spec;
    const old = this.#services.get(name);
    this.#services.set(name, service);
    this.#generation++;
    this.#openApi.clear();
    const key = `${group}/${version}`;
    const known = this.#remotes.get(key);
    if (!service.spec.service) {
      this.#forget(key);
      if (!isAvailable(service)) this.#queue.add(name);
      return;
    }
    const changed = old?.metadata.generation !== service.metadata.generation;
    if (known) known.service = service;
    if (known && !changed) return;
    this.#forget(key);
    const stop = this.#watchService(name, service.spec.service);
    const kept = new KeptConnections(() => connected(this.#route(service)));
    this.#remotes.set(key, { service, discovered: undefined, failures: 0, kept, stop });
    this.#queue.add(name);
  }

  #drop(name: string) {
    const service = this.#services.get(name);
    this.#services.delete(name);
    this.#generation++;
    if (service) this.#forget(`${service.spec.group}/${service.spec.version}`);
    this.#queue.add(localKey);
  }

  #forget(key: string) {
    this.#remotes.get(key)?.stop();
    this.#remotes.delete(key);
  }

  /** Checks again as soon as the Service or its endpoints change. */
  #watchService(name: string, { namespace, name: service }: { namespace: string; name: string }) {
    const { store } = this.#options.server;
    const stops = ["services", "endpoints"].map((resource) =>
      store.subscribe(`${resource}/${namespace}/`, (events) => {
        const key = `${resource}/${namespace}/${service}`;
        if (events.some((event) => event.key === key)) this.#queue.add(name);
      }),
    );
    return () => {
      for (const stop of stops) stop();
    };
  }

  async #check(name: string) {
    const service = this.#services.get(name);
    if (!service) return;
    if (!service.spec.service) return this.#write(service, local);
    const { group = "", version } = service.spec;
    const { verdict, resources } = await checkRemote(
      this.#options.server,
      service,
      this.#route(service),
    );
    const remote = this.#remotes.get(`${group}/${version}`);
    if (!remote) return;
    const known = remote.discovered?.resources ?? [];
    const discovered: RemoteVersion = {
      group,
      version,
      resources: resources ? discoveredResources(resources, { group, version }) : known,
      freshness: resources ? "Current" : "Stale",
    };
    if (!jsonEqual(discovered, remote.discovered)) this.#generation++;
    remote.discovered = discovered;
    await this.#write(service, verdict);
    remote.failures = resources ? 0 : remote.failures + 1;
    const again = { firstMs: checkAgainMs, maxMs: checkEveryMs };
    this.#queue.addAfter(name, resources ? checkEveryMs : backoffMs(remote.failures, again));
  }

  async #write({ metadata: { name } }: ApiService, verdict: Verdict) {
    const current = this.#services.get(name);
    if (!current) return;
    const others = current.status?.conditions?.filter(({ type }) => type !== "Available") ?? [];
    const old = current.status?.conditions?.find(({ type }) => type === "Available");
    const same = (["status", "reason", "message"] as const).every((k) => old?.[k] === verdict[k]);
    if (same) return;
    const now = timestamp(this.#options.clock.now());
    const turned = old?.status !== verdict.status;
    const lastTransitionTime = turned ? now : old.lastTransitionTime;
    const condition = { type: "Available", ...verdict, lastTransitionTime };
    const next = { ...current, status: { conditions: [...others, condition] } };
    await this.#send("PUT", `${collection}/${name}/status`, next);
  }

  async #settleLocal() {
    const plan = planLocal(wantedServices(this.#options.server.kinds), this.#services);
    await Promise.all([
      ...plan.create.map((draft) => this.#send("POST", collection, draft)),
      ...plan.remove.map((name) => this.#send("DELETE", `${collection}/${name}`)),
    ]);
  }

  async #send(method: string, path: string, body?: Draft) {
    try {
      await this.#options.server.handle({
        method,
        path,
        query: new URLSearchParams(),
        headers: { "user-agent": "kube-apiserver" },
        body: body && structuredClone(body),
        decoded: true,
        user: loopback,
        signal: this.#options.scope.signal,
      });
    } catch (error) {
      if (!isStatus(error, "AlreadyExists", "NotFound", "Conflict")) throw error;
    }
  }
}

/** Puts aggregation into the server; resolves once its own APIServices are there. */
export async function startAggregation(options: AggregationOptions): Promise<Remotes> {
  const aggregation = new Aggregation(options);
  options.server.plugs.remotes = aggregation;
  await aggregation.start();
  return aggregation;
}
