// The extension API server of machines. The cluster's own API server has judged every request and says, with its
// front proxy's certificate, who asks.
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { answerStatus, endWithStatus, requireFrontProxy } from "../../lib/front-proxy.ts";
import type { FrontProxy } from "../../lib/front-proxy.ts";
import type { Scope } from "../../lib/scope.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import type { UploadTokens } from "../disks/upload-token.ts";
import { Access } from "./access.ts";
import type { AccessOptions } from "./access.ts";
import type { Answer, Call } from "./handler.ts";
import { giveExport, isExport } from "./export.ts";
import { handlers, streamHandlers } from "./handlers.ts";
import { listenAt } from "./listen-at.ts";
import { discoveryOf, parsePath } from "./protocol.ts";
import { joinSocket } from "./stream-socket.ts";
import {
  isTokenRequest,
  isUpload,
  uploadDiscovery,
  uploadGroupVersion,
  Uploads,
} from "./upload.ts";

/** Where clients on other machines bring and take disks, and nothing else. */
export interface Outside {
  hosts: string[];
  /** PEM texts as they are by now, the authority's last. */
  tls: () => { cert: string; key: string; ca: string };
}

export interface ApiServerOptions extends AccessOptions {
  /** PEM texts of the certificate it shows. */
  tls: { cert: string; key: string };
  frontProxy: FrontProxy;
  /** The address that it listens on, and the port where it is free. */
  host: string;
  port: number;
  outside: Outside;
  tokens: UploadTokens;
  /** Admission reviews, by path; they are asked for without the front proxy. */
  reviews: Record<string, (review: any) => Promise<object>>;
  scope: Scope;
}

const certificateLookMs = 3_600_000;
const bodyBytesMax = 3 * 1024 * 1024;

async function readBody(request: IncomingMessage): Promise<any> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) {
      throw new StatusError("RequestEntityTooLarge", `the body is over ${bodyBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) ?? {};
  } catch {
    throw badRequest("Can not unmarshal Request body to struct");
  }
}

function answer(response: ServerResponse, { code, json, bytes }: Answer) {
  const type = bytes?.type ?? (json && "application/json");
  response.writeHead(code, type ? { "content-type": type } : {});
  response.end(bytes?.data ?? (json && JSON.stringify(json)));
}

const nowhere = () =>
  new StatusError("NotFound", "the server could not find the requested resource");

class MachineApi {
  readonly #options: ApiServerOptions;
  readonly #access: Access;
  readonly #uploads: Uploads;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#access = new Access(options);
    this.#uploads = new Uploads(this.#access, options.tokens);
  }

  async #call(request: IncomingMessage, upgrade: boolean): Promise<Call> {
    requireFrontProxy(request.socket as TLSSocket, this.#options.frontProxy);
    const asked = parsePath(request.url ?? "/");
    if (!asked) throw nowhere();
    const body = upgrade ? {} : await readBody(request);
    const dryRun = [body.dryRun, asked.query.getAll("dryRun")].flat().includes("All");
    return { ...asked, access: this.#access, body, dryRun };
  }

  /** Whoever has a token needs no other name. */
  #byToken(request: IncomingMessage, response: ServerResponse): Promise<unknown> | undefined {
    if (isExport(request)) return giveExport(this.#access, request, response);
    if (isUpload(request)) return this.#uploads.take(request, response);
    return undefined;
  }

  async #answerOutside(request: IncomingMessage, response: ServerResponse) {
    const given = this.#byToken(request, response);
    if (!given) throw nowhere();
    await given;
  }

  async #answer(request: IncomingMessage, response: ServerResponse) {
    const review = this.#options.reviews[(request.url ?? "/").split("?")[0]!];
    if (review) {
      return answer(response, { code: 200, json: await review(await readBody(request)) });
    }
    const given = this.#byToken(request, response);
    if (given) return given;
    if (isTokenRequest(request)) {
      requireFrontProxy(request.socket as TLSSocket, this.#options.frontProxy);
      return answer(response, await this.#uploads.issue(request, await readBody(request)));
    }
    const call = await this.#call(request, false);
    const name = call.resource ? `${call.resource}/${call.action}` : call.action;
    const handler = handlers[`${request.method} ${name}`];
    if (!handler) throw streamHandlers[name] ? badRequest("Upgrade request required") : nowhere();
    answer(response, await handler(call));
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    const call = await this.#call(request, true);
    const handler = streamHandlers[`${call.resource}/${call.action}`];
    if (!handler) throw nowhere();
    joinSocket(request, { socket, head }, await handler(call), this.#options.clock);
  }

  /** Resolves with the port. */
  async listen(): Promise<number> {
    const { tls, frontProxy, host, port } = this.#options;
    const server = createServer(
      { ...tls, ca: frontProxy.ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const isUploadApi = request.url?.split("?")[0] === `/apis/${uploadGroupVersion}`;
        const discovery = isUploadApi ? uploadDiscovery : discoveryOf(request.url ?? "/");
        if (discovery) return answer(response, { code: 200, json: discovery });
        this.#answer(request, response).catch((error: unknown) => answerStatus(response, error));
      },
    );
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => {});
      this.#upgrade(request, socket, head).catch((error: unknown) => endWithStatus(socket, error));
    });
    return this.#open(server, host, port);
  }

  /** Resolves with the port at the first of the addresses. */
  async listenOutside(wanted: number): Promise<number> {
    const { outside, scope, clock } = this.#options;
    const ports: number[] = [];
    for (const host of outside.hosts) {
      const server = createServer(outside.tls(), (request, response) => {
        this.#answerOutside(request, response).catch((error: unknown) =>
          answerStatus(response, error),
        );
      });
      scope.defer(clock.every(certificateLookMs, () => server.setSecureContext(outside.tls())));
      ports.push(await this.#open(server, host, wanted));
    }
    return ports[0] ?? wanted;
  }

  #open(server: Server, host: string, port: number): Promise<number> {
    server.requestTimeout = 0;
    this.#options.scope.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return listenAt(server, host, port);
  }
}

/** Listens until the scope ends; resolves with its ports. */
export async function startApiServer(options: ApiServerOptions) {
  const api = new MachineApi(options);
  const port = await api.listen();
  return { port, outsidePort: await api.listenOutside(port) };
}
