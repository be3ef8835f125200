// The Kubernetes API behind its transports: one `handle` that resolves a request, authorizes it and calls
// its verb. Expected failures are thrown as StatusErrors; the HTTP listener turns them into Status.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { NodeConnector } from "../lib/node-connection.ts";
import type { Random } from "../lib/random.ts";
import { badRequest, forbidden, StatusError } from "../lib/status-error.ts";
import type { Kinds } from "../kinds/kinds.ts";
import { StoreFull, StoreUnavailable } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import { admissionRequest, admit } from "./admit.ts";
import type { Auditor } from "./audit/auditor.ts";
import type { Call, Core } from "./core.ts";
import { serviceAllocator } from "./service-allocation/allocate.ts";
import { connectOptions } from "./connect-options.ts";
import { withoutLegacyWatch } from "./legacy-watch.ts";
import type { FlowControl, Seat } from "./flow-control/flow-control.ts";
import { Health } from "./health.ts";
import { Metrics } from "./metrics.ts";
import { inAcceptedForm, takesProtobuf } from "./protobuf/accepted-form.ts";
import { negotiate } from "./negotiate.ts";
import { writeOptions } from "./options.ts";
import { pathHandler } from "./paths.ts";
import type { Admission, Attributes, Authorize, Plugs } from "./policy.ts";
import type { UpgradeSocket } from "./upgrade-socket.ts";
import { isProxyPath } from "./proxy/proxy.ts";
import type { Remotes } from "./remotes.ts";
import { attributesOf, remoteAttributes, requestInfo } from "./request-info.ts";
import type { ApiRequest, ApiResponse, RequestInfo, User } from "./request.ts";
import { serveWatch } from "./streams/watch-socket.ts";
import { isWebSocket } from "./streams/websocket.ts";
import { decodeAs } from "./rules.ts";
import { decodeBody } from "./body.ts";
import { subresourceHandler } from "./subresources.ts";
import { isCustom } from "./root-schema.ts";
import { resourceNameOf } from "./stored.ts";
import { verbs } from "./verbs.ts";

export interface ServerOptions {
  store: Store;
  kinds: Kinds;
  clock: Clock;
  random: Random;
  log: Log;
  /** Absent: everything is allowed (tests). */
  authorize?: Authorize;
  /** In the order they run. */
  admission?: Admission[];
  plugs?: Partial<Plugs>;
  /** Where Services get their addresses, `10.96.0.0/16`: one range of each family, the cluster's own first. */
  serviceCidrs?: string[];
  /** `30000-32767`. */
  nodePorts?: { first: number; last: number };
  nodeConnector?: NodeConnector;
  /** Absent: nothing is written down. */
  audit?: Auditor;
  /** Absent: nobody waits for others. */
  flow?: FlowControl;
}

export interface ApiServer extends Core {
  /** What /livez and /readyz ask; parts of the server add their own. */
  readonly health: Health;
  readonly plugs: Plugs;
  /** In their order; wings add their own behind. */
  readonly admission: Admission[];
  /** What /metrics tells; wings add what they measure. */
  readonly registry: Metrics["registry"];
  /** Answers a request; throws StatusError. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Hands an Upgrade request to its handler; throws StatusError before anything is written. */
  upgrade(request: ApiRequest, socket: UpgradeSocket): Promise<void>;
  /** Tells the audit log of a request that authentication refused. */
  turnedAway(
    request: Omit<ApiRequest, "user">,
    error: unknown,
    how: { certificate: boolean },
  ): void;
  /** True when a request with this path goes on to another server, its body unread. */
  passesOn(path: string): boolean;
  /** Ends all watches. */
  close(): void;
}

const allowAll: Authorize = async () => ({ allowed: true, reason: "" });

function denied(user: User, attributes: Attributes, reason: string): StatusError {
  const { verb, group, resource, subresource, namespace, name, path } = attributes;
  const suffix = reason ? `: ${reason}` : "";
  if (!resource) {
    return new StatusError(
      "Forbidden",
      `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}${suffix}`,
      { details: {} },
    );
  }
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace
    ? `in the namespace ${JSON.stringify(namespace)}`
    : "at the cluster scope";
  return forbidden(
    { group, resource },
    name,
    `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}${suffix}`,
  );
}

const optionKinds: Record<string, string> = {
  create: "CreateOptions",
  update: "UpdateOptions",
  patch: "PatchOptions",
  delete: "DeleteOptions",
  deletecollection: "DeleteOptions",
  connect: "ConnectOptions",
};

/** What was acknowledged is safe; reads and deletes go on. */
const diskFull = (cause: Error) =>
  new StatusError("InternalError", "the disk is full: free some space and try again", {
    code: 507,
    cause,
  });

function shown(error: unknown): unknown {
  if (error instanceof StoreFull) return diskFull(error);
  if (!(error instanceof StoreUnavailable)) return error;
  return new StatusError("ServiceUnavailable", error.message, {
    details: { retryAfterSeconds: 1 },
    cause: error,
  });
}

class Server implements ApiServer {
  readonly store;
  readonly kinds;
  readonly clock;
  readonly random;
  readonly log;
  readonly authorize;
  readonly nodeConnector;
  readonly admission: Admission[];
  readonly plugs: Plugs;
  readonly allocators: Core["allocators"] = new Map();
  readonly health: Health;
  readonly #stop = new AbortController();
  readonly #metrics: Metrics;
  readonly #audit: Auditor | undefined;
  readonly #flow: FlowControl | undefined;

  constructor(options: ServerOptions) {
    this.store = options.store;
    this.kinds = options.kinds;
    this.clock = options.clock;
    this.random = options.random;
    this.log = options.log;
    this.authorize = options.authorize ?? allowAll;
    this.nodeConnector = options.nodeConnector;
    this.admission = [...(options.admission ?? [])];
    this.plugs = {
      subresources: options.plugs?.subresources ?? new Map(),
      upgrades: options.plugs?.upgrades ?? new Map(),
      reviews: options.plugs?.reviews ?? new Map(),
      paths: options.plugs?.paths ?? new Map(),
    };
    this.health = new Health(this);
    this.#metrics = new Metrics(this);
    this.#audit = options.audit;
    this.#flow = options.flow;
    this.#flow?.measure(this.#metrics.registry);
    this.allocators.set("services", serviceAllocator(this, options));
  }

  get signal() {
    return this.#stop.signal;
  }

  get registry() {
    return this.#metrics.registry;
  }

  handle(sent: ApiRequest): Promise<ApiResponse> {
    return this.#audit ? this.#audit.follow(sent, (one) => this.#handle(one)) : this.#handle(sent);
  }

  upgrade(sent: ApiRequest, socket: UpgradeSocket): Promise<void> {
    if (!this.#audit) return this.#upgrade(sent, socket);
    return this.#audit.followUpgrade(sent, (one) => this.#upgrade(one, socket));
  }

  turnedAway(...refusal: Parameters<ApiServer["turnedAway"]>) {
    this.#audit?.turnedAway(...refusal);
  }

  async #handle(sent: ApiRequest): Promise<ApiResponse> {
    const request = withoutLegacyWatch(sent);
    const started = this.clock.monotonic();
    let info: RequestInfo | undefined;
    let seat: Seat | undefined;
    try {
      const asked = this.#flow?.enter(request);
      seat = asked instanceof Promise ? await asked : asked;
      const remotes = this.#remotesOf(request);
      if (!remotes) info = this.#resolve(request);
      await this.#authorize(request, info, remotes);
      if (request.readBody) request.body = await request.readBody();
      const response = remotes
        ? await remotes.handle(request)
        : info
          ? await this.#resource(request, info)
          : await this.#path(request);
      this.#metrics.observe(request, info, response.code, this.clock.monotonic() - started);
      if (!seat || request.decoded) return response;
      return { ...response, headers: { ...response.headers, ...seat.headers } };
    } catch (error) {
      const code = error instanceof StatusError ? error.code : 500;
      this.#metrics.observe(request, info, code, this.clock.monotonic() - started);
      if (seat && error instanceof StatusError) error.headers = seat.headers;
      throw shown(error);
    } finally {
      seat?.leave();
    }
  }

  async #upgrade(sent: ApiRequest, socket: UpgradeSocket): Promise<void> {
    const request = withoutLegacyWatch(sent);
    const remotes = this.#remotesOf(request);
    const info = remotes ? undefined : this.#resolve(request);
    await this.#authorize(request, info, remotes);
    if (remotes) return remotes.upgrade(request, socket);
    if (info?.verb === "watch" && isWebSocket(socket)) {
      return serveWatch(await this.#resource(request, info), socket);
    }
    const name = info && `${resourceNameOf(info.kind)}/${info.subresource}`;
    const handler = name && this.plugs.upgrades.get(name);
    if (!info || !handler) throw badRequest("this path does not upgrade its connection");
    // A WebSocket can only begin with GET; what it begins is no reading.
    const creates = info.verb === "connect" && info.subresource !== "proxy";
    if (creates && request.method === "GET")
      await this.#authorize({ ...request, method: "POST" }, info);
    await this.#admitConnect(request, info);
    await handler({ server: this, request, info }, socket);
  }

  close() {
    this.#stop.abort(new Error("the server stops"));
  }

  #resolve(request: ApiRequest) {
    return requestInfo(request, (group, version, plural) => this.kinds.get(group, version, plural));
  }

  #remotesOf({ path }: ApiRequest) {
    const { remotes } = this.plugs;
    return remotes?.serves(path) ? remotes : undefined;
  }

  async #authorize(request: ApiRequest, info: RequestInfo | undefined, remotes?: Remotes) {
    const attributes = remotes ? remoteAttributes(request) : attributesOf(request, info);
    const { allowed, reason } = await this.authorize(request.user, attributes);
    request.annotations?.set("authorization.k8s.io/decision", allowed ? "allow" : "forbid");
    request.annotations?.set("authorization.k8s.io/reason", reason);
    if (!allowed) throw denied(request.user, attributes, reason);
  }

  passesOn(path: string) {
    return isProxyPath(path) || this.plugs.remotes?.serves(path) === true;
  }

  async #admitConnect(request: ApiRequest, info: RequestInfo) {
    if (info.verb !== "connect") return;
    // The query and the Accept header are for the other end; only the options object is ours to read.
    const plain = { ...request, query: new URLSearchParams(), headers: {} };
    const call = this.#call(plain, info);
    const asked = connectOptions(request, info);
    await admit(call, admissionRequest(call, "CONNECT", asked, undefined));
  }

  #call(request: ApiRequest, info: RequestInfo): Call {
    const options = writeOptions(
      request.query,
      request.headers,
      optionKinds[info.verb] ?? "GetOptions",
    );
    return {
      core: this,
      request,
      info,
      kind: info.kind,
      accept: negotiate(request.headers["accept"], { custom: isCustom(info.kind) }),
      options,
      warnings: [],
    };
  }

  async #resource(request: ApiRequest, info: RequestInfo): Promise<ApiResponse> {
    const answer = await this.#verb(request, info);
    return takesProtobuf(request) ? inAcceptedForm(request, info.kind, answer) : answer;
  }

  async #verb(request: ApiRequest, info: RequestInfo): Promise<ApiResponse> {
    const review = this.plugs.reviews.get(resourceNameOf(info.kind));
    if (info.kind.virtual && !request.decoded) {
      negotiate(request.headers["accept"], info.kind);
    }
    if (review && info.verb !== "create") return review({ server: this, request, info });
    if (review) {
      const { object: body } = decodeAs(info.kind, this.kinds, decodeBody(request));
      return review({ server: this, request: { ...request, body, decoded: true }, info });
    }
    const plugged = this.plugs.subresources.get(`${resourceNameOf(info.kind)}/${info.subresource}`);
    if (plugged) {
      await this.#admitConnect(request, info);
      return plugged({ server: this, request, info });
    }
    const call = this.#call(request, info);
    const handler = subresourceHandler(call);
    if (handler) return handler(call);
    if (info.verb === "connect" || info.kind.virtual) {
      throw new StatusError(
        "NotImplemented",
        `${info.kind.plural}/${info.subresource} is not served here`,
      );
    }
    return verbs[info.verb](call);
  }

  async #path(request: ApiRequest): Promise<ApiResponse> {
    const plugged = this.plugs.paths.get(request.path);
    if (plugged) return plugged(request);
    return pathHandler(this, this.#metrics, request);
  }
}

export const createServer = (options: ServerOptions): ApiServer => new Server(options);
