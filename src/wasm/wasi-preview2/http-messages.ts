// wasi:http's requests and responses.
import { Fields } from "./http-fields.ts";
import { IncomingBody, OutgoingBody } from "./http-bodies.ts";
import { refuse } from "./refuse.ts";

export interface Method {
  tag: string;
  val?: string;
}
export type Scheme = Method;

const methods = ["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"];
const token = /^[!#$%&'*+\-.^_`|~\w]+$/;

export function methodOf(text: string): Method {
  const tag = text.toLowerCase();
  return methods.includes(tag) ? { tag } : { tag: "other", val: text };
}

export const methodText = ({ tag, val }: Method) => (tag === "other" ? val! : tag.toUpperCase());

export interface Received {
  method: string;
  path: string;
  authority: string;
  headers: [string, string][];
  body: Uint8Array;
}

export class IncomingRequest {
  readonly #received: Received;
  #isConsumed = false;

  constructor(received: Received) {
    this.#received = received;
  }

  method(): Method {
    return methodOf(this.#received.method);
  }

  pathWithQuery() {
    return this.#received.path;
  }

  scheme(): Scheme {
    return { tag: "HTTP" };
  }

  authority() {
    return this.#received.authority;
  }

  headers() {
    return Fields.received(this.#received.headers);
  }

  consume() {
    if (this.#isConsumed) refuse();
    this.#isConsumed = true;
    return new IncomingBody(this.#received.body);
  }
}

export class OutgoingRequest {
  readonly #headers: Fields;
  #method: Method = { tag: "get" };
  #path: string | undefined;
  #scheme: Scheme | undefined;
  #authority: string | undefined;
  #body: OutgoingBody | undefined;

  constructor(headers: Fields) {
    this.#headers = headers.fix();
  }

  body() {
    if (this.#body) refuse();
    this.#body = new OutgoingBody();
    return this.#body;
  }

  /** Absent: the guest never asked for one. */
  get ownBody() {
    return this.#body;
  }

  method() {
    return this.#method;
  }

  setMethod(method: Method) {
    if (!token.test(methodText(method))) refuse();
    this.#method = method;
  }

  pathWithQuery() {
    return this.#path;
  }

  setPathWithQuery(path: string | undefined) {
    if (path !== undefined && /[\s#]/.test(path)) refuse();
    this.#path = path;
  }

  scheme() {
    return this.#scheme;
  }

  setScheme(scheme: Scheme | undefined) {
    this.#scheme = scheme;
  }

  authority() {
    return this.#authority;
  }

  setAuthority(authority: string | undefined) {
    if (authority !== undefined && !/^[\w.:[\]-]+$/.test(authority)) refuse();
    this.#authority = authority;
  }

  headers() {
    return this.#headers;
  }
}

export class IncomingResponse {
  readonly #status: number;
  readonly #headers: [string, string][];
  readonly #bytes: Uint8Array;

  constructor(status: number, headers: [string, string][], bytes: Uint8Array) {
    this.#status = status;
    this.#headers = headers;
    this.#bytes = bytes;
  }

  status() {
    return this.#status;
  }

  headers() {
    return Fields.received(this.#headers);
  }

  consume() {
    return new IncomingBody(this.#bytes);
  }
}

export class OutgoingResponse {
  readonly #headers: Fields;
  #status = 200;
  #body: OutgoingBody | undefined;

  constructor(headers: Fields) {
    this.#headers = headers.fix();
  }

  statusCode() {
    return this.#status;
  }

  setStatusCode(status: number) {
    if (status < 100 || status > 999) refuse();
    this.#status = status;
  }

  headers() {
    return this.#headers;
  }

  body() {
    if (this.#body) refuse();
    this.#body = new OutgoingBody();
    return this.#body;
  }

  get ownBody() {
    return this.#body;
  }
}

type Answer = { tag: "ok"; val: OutgoingResponse } | { tag: "err"; val: { tag: string } };

export class ResponseOutparam {
  answer: Answer | undefined;

  static set(param: ResponseOutparam, answer: Answer) {
    param.answer = answer;
  }
}
