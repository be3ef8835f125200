// Follows a request through its stages and tells the log of each. Nothing here changes what is answered.
import type { Clock } from "../../lib/clock.ts";
import type { Random } from "../../lib/random.ts";
import { StatusError } from "../../lib/status-error.ts";
import { impersonatorOf, refusedImpersonator } from "../auth/impersonate.ts";
import type { Attributes } from "../policy.ts";
import { remoteAttributes } from "../request-info.ts";
import type { ApiRequest, ApiResponse, User } from "../request.ts";
import { Overheard, requestObject, responseObject, withoutManagedFields } from "./bodies.ts";
import { decide } from "./policy.ts";
import type { AuditPolicy, Decision, Stage } from "./policy.ts";

export interface AuditOptions {
  policy: AuditPolicy;
  /** Takes one event as a line of JSON, without its newline. */
  write(line: string): void;
  clock: Clock;
  random: Random;
}

/** By path alone: what is not served is told too. */
function askedOf(request: ApiRequest): Attributes {
  try {
    return remoteAttributes(request);
  } catch {
    const none = { group: "", version: "", resource: "", subresource: "", namespace: "", name: "" };
    return { ...none, verb: request.method.toLowerCase(), path: request.path };
  }
}

const urlOf = ({ url, path, query }: ApiRequest) => {
  const text = query.toString();
  return url ?? (text ? `${path}?${text}` : path);
};

/** As metav1.MicroTime. */
const micro = (ms: number) => new Date(ms).toISOString().replace("Z", "000Z");

const told = ({ name, uid, groups, extra }: User) => ({
  username: name,
  ...(uid && { uid }),
  groups,
  ...(extra && { extra }),
});

const nobody: User = { name: "", groups: [] };

/** Which credentials were no good, in upstream's words. */
function attempted({ authorization }: ApiRequest["headers"], certificate: boolean): string {
  const [, scheme] = /^\s*(basic|bearer)\s/i.exec(authorization ?? "") ?? [];
  const methods = [...(scheme ? [scheme.toLowerCase()] : []), ...(certificate ? ["x509"] : [])];
  return methods.length > 0
    ? `Authentication failed, attempted: ${methods.join(", ")}`
    : "Authentication failed, no credentials provided";
}

const idPattern = /^[\x21-\x7e]{1,64}$/;

/** One request on its way. */
class Trail {
  readonly #options: AuditOptions;
  readonly #decision: Decision;
  readonly #event: Record<string, unknown>;
  readonly #request: ApiRequest;
  readonly id: string;
  readonly watches: boolean;
  readonly annotations = new Map<string, string>();

  constructor(options: AuditOptions, decision: Decision, request: ApiRequest, asked: Attributes) {
    const { user, headers, remoteAddress } = request;
    const impersonator = impersonatorOf(user);
    const given = headers["audit-id"];
    this.#options = options;
    this.#decision = decision;
    this.#request = request;
    this.watches = asked.verb === "watch";
    this.id = given && idPattern.test(given) ? given : options.random.uuid();
    const forwarded = (headers["x-forwarded-for"] ?? "").split(",").map((one) => one.trim());
    this.#event = {
      kind: "Event",
      apiVersion: "audit.k8s.io/v1",
      level: decision.level,
      auditID: this.id,
      stage: "",
      requestURI: urlOf(request),
      verb: asked.verb,
      user: user === nobody ? {} : told(impersonator ?? user),
      ...(impersonator && { impersonatedUser: told(user) }),
      sourceIPs: [...forwarded.filter(Boolean), remoteAddress ?? "127.0.0.1"],
      ...(headers["user-agent"] && { userAgent: headers["user-agent"] }),
      ...(asked.resource && { objectRef: referenceTo(asked) }),
      requestReceivedTimestamp: micro(options.clock.now()),
    };
  }

  get wantsAnswer() {
    return this.#decision.level === "RequestResponse";
  }

  /** Keeps what was sent, before anybody changes it. */
  async received() {
    const request = this.#request;
    if (this.#decision.level !== "Metadata") {
      const { readBody } = request;
      await this.#keep(request);
      if (readBody)
        request.readBody = async () => {
          const body = await readBody();
          await this.#keep({ body, headers: request.headers });
          return body;
        };
    }
    this.#tell("RequestReceived");
  }

  async #keep(request: Pick<ApiRequest, "body" | "headers">) {
    const body = await requestObject(request);
    if (body !== undefined) this.#event["requestObject"] = this.#shown(body);
  }

  /** Nobody knows who asks. */
  unauthenticated(certificate: boolean) {
    const message = attempted(this.#request.headers, certificate);
    this.#tell("ResponseStarted", { responseStatus: { metadata: {}, message, code: 401 } });
  }

  started(code: number) {
    this.#tell("ResponseStarted", { responseStatus: { metadata: {}, code } });
  }

  completed(code: number, object?: unknown) {
    this.#tell("ResponseComplete", {
      responseStatus: { metadata: {}, code },
      ...(object !== undefined && this.wantsAnswer && { responseObject: this.#shown(object) }),
    });
  }

  failed(error: unknown) {
    if (!(error instanceof StatusError)) {
      const responseStatus = {
        metadata: {},
        status: "Failure",
        reason: "InternalError",
        code: 500,
      };
      return this.#tell("Panic", { responseStatus });
    }
    const status = error.toStatus();
    const { kind: _, apiVersion: __, ...responseStatus } = status;
    this.#tell("ResponseComplete", {
      responseStatus,
      ...(this.wantsAnswer && { responseObject: status }),
    });
  }

  #shown(object: unknown) {
    return this.#decision.omitManagedFields ? withoutManagedFields(object) : object;
  }

  #tell(stage: Stage, more: object = {}) {
    const { omitStages } = this.#decision;
    if (omitStages.has(stage)) return;
    const { requestObject: sent, ...event } = this.#event;
    this.#options.write(
      JSON.stringify({
        ...event,
        stage,
        ...more,
        // As upstream: bodies are told once something is answered.
        ...(sent !== undefined && stage !== "RequestReceived" && { requestObject: sent }),
        stageTimestamp: micro(this.#options.clock.now()),
        ...(this.annotations.size > 0 && { annotations: Object.fromEntries(this.annotations) }),
      }),
    );
  }
}

const referenceTo = ({ resource, namespace, name, group, version, subresource }: Attributes) => ({
  resource,
  ...(namespace && { namespace }),
  ...(name && { name }),
  ...(group && { apiGroup: group }),
  apiVersion: version,
  ...(subresource && { subresource }),
});

/** Passes a stream on and calls `end` when it is over, however it ends. */
async function* until<T>(stream: AsyncIterable<T>, end: () => void, seen?: (one: T) => void) {
  try {
    for await (const one of stream) {
      seen?.(one);
      yield one;
    }
  } finally {
    end();
  }
}

export class Auditor {
  readonly #options: AuditOptions;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Answers with `handle`, and tells. */
  async follow(
    request: ApiRequest,
    handle: (request: ApiRequest) => Promise<ApiResponse>,
  ): Promise<ApiResponse> {
    const trail = this.#trail(request);
    if (!trail) return handle(request);
    await trail.received();
    try {
      const answer = await handle(annotated(request, trail));
      const headers = { ...answer.headers, "audit-id": trail.id };
      return await this.#answered(trail, request.decoded ? answer : { ...answer, headers });
    } catch (error) {
      trail.failed(error);
      throw error;
    }
  }

  /** A connection that is handed over: it is told when it begins and when it fails to. */
  async followUpgrade(request: ApiRequest, upgrade: (request: ApiRequest) => Promise<void>) {
    const trail = this.#trail(request);
    if (!trail) return upgrade(request);
    await trail.received();
    try {
      await upgrade(annotated(request, trail));
    } catch (error) {
      trail.failed(error);
      throw error;
    }
    trail.completed(101);
  }

  /** What came no further than to authentication. */
  turnedAway(
    request: Omit<ApiRequest, "user">,
    error: unknown,
    { certificate }: { certificate: boolean },
  ) {
    const user = refusedImpersonator(error);
    const trail = this.#trail({ ...request, user: user ?? nobody });
    if (user) trail?.failed(error);
    else trail?.unauthenticated(certificate);
  }

  #trail(request: ApiRequest) {
    const asked = askedOf(request);
    const user = impersonatorOf(request.user) ?? request.user;
    const decision = decide(this.#options.policy, user, asked);
    return decision && new Trail(this.#options, decision, request, asked);
  }

  async #answered(trail: Trail, answer: ApiResponse): Promise<ApiResponse> {
    const { code, stream, events } = answer;
    if (events) {
      trail.started(code);
      return { ...answer, events: until(events, () => trail.completed(code)) };
    }
    if (!stream) {
      trail.completed(code, trail.wantsAnswer ? await responseObject(answer) : undefined);
      return answer;
    }
    trail.started(code);
    if (!trail.wantsAnswer || trail.watches || answer.passedOn) {
      return { ...answer, stream: until(stream, () => trail.completed(code)) };
    }
    const heard = new Overheard();
    const end = () => void heard.object(answer).then((object) => trail.completed(code, object));
    // What is kept here is not used again by whoever wrote it.
    const { written: _, ...kept } = answer;
    return { ...kept, stream: until(stream, end, (chunk) => heard.take(chunk)) };
  }
}

const annotated = (request: ApiRequest, { annotations }: Trail): ApiRequest => ({
  ...request,
  annotations,
});
