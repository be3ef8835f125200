// wasi:http's requests and responses.
import type { IncomingMessage } from "node:http";
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

/** Header lines of what came in. */
function headersOf({ rawHeaders: raw }: IncomingMessage): Fields {
  const pairs: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i]!.toLowerCase(), raw[i + 1]!]);
  return Fields.received(pairs);
}

const hasBody = ({ headers }: IncomingMessage) =>
  headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;

export class IncomingRequest {
  readonly #received: IncomingMessage;
  #isConsumed = false;

  constructor(received: IncomingMessage) {
    this.#received = received;
  }

  method(): Method {
    return methodOf(this.#received.method!);
  }

  pathWithQuery() {
    return this.#received.url;
  }

  scheme(): Scheme {
    return { tag: "HTTP" };
  }

  authority() {
    return this.#received.headers.host;
  }

  headers() {
    return headersOf(this.#received);
  }

  consume() {
    if (this.#isConsumed) refuse();
    this.#isConsumed = true;
    return new IncomingBody(hasBody(this.#received) ? this.#received : undefined);
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
  readonly #received: IncomingMessage;
  #isConsumed = false;

  constructor(received: IncomingMessage) {
    this.#received = received;
  }

  status() {
    return this.#received.statusCode!;
  }

  headers() {
    return headersOf(this.#received);
  }

  consume() {
    if (this.#isConsumed) refuse();
    this.#isConsumed = true;
    return new IncomingBody(this.#received);
  }

  [Symbol.dispose]() {
    if (!this.#isConsumed) this.#received.destroy();
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

export type Answer = { tag: "ok"; val: OutgoingResponse } | { tag: "err"; val: { tag: string } };

export class ResponseOutparam {
  answer: Answer | undefined;
  readonly #onAnswer: (answer: Answer) => void;

  /** `onAnswer` is told at once; the answer's body is still to come. */
  constructor(onAnswer: (answer: Answer) => void) {
    this.#onAnswer = onAnswer;
  }

  static set(param: ResponseOutparam, answer: Answer) {
    if (param.answer) return;
    param.answer = answer;
    param.#onAnswer(answer);
  }
}
