// A server with the built-in kinds behind a real port, for tests over sockets.
import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { builtinKinds } from "../kinds/kinds.ts";
import type { KubeObject } from "../kinds/object.ts";
import { systemClock } from "../lib/clock.ts";
import { silent } from "../lib/log.ts";
import { seededRandom } from "../lib/random.ts";
import { Scope } from "../lib/scope.ts";
import { memoryStore } from "../store/memory.ts";
import { openPki, type Pki } from "./auth/pki.ts";
import { encodeBody } from "./encode.ts";
import { listen } from "./http/listener.ts";
import { createServer, type ApiServer, type ServerOptions } from "./server.ts";

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export interface Answer {
  code: number;
  headers: Record<string, any>;
  bytes: Buffer;
  text: string;
}

export interface TestListener {
  server: ApiServer;
  pki: Pki;
  port: number;
  ca: string;
  scope: Scope;
  /** Puts an object into the store as it is. */
  put(resource: string, object: object): Promise<void>;
  /** Over HTTP/1.1, on a connection of its own. */
  ask(path: string, asked?: Asked): Promise<Answer>;
  /** Over HTTP/2. */
  ask2(path: string, asked?: Asked): Promise<Answer>;
  upgrade(
    path: string,
    headers: Record<string, string>,
  ): Promise<{ answer: IncomingMessage; socket: Duplex } | Answer>;
}

const answerOf = (code: number, headers: object, chunks: Buffer[]): Answer => {
  const bytes = Buffer.concat(chunks);
  return { code, headers, bytes, text: bytes.toString() };
};

async function gather(stream: AsyncIterable<Buffer>) {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** The user is the request's `x-test-user` or its token. */
export async function startListener(
  options: Partial<ServerOptions> = {},
  extra: { scope?: Scope } = {},
): Promise<TestListener> {
  const scope = extra.scope ?? new Scope();
  const store = memoryStore();
  const server = createServer({
    store,
    kinds: builtinKinds(),
    clock: systemClock,
    random: seededRandom(1),
    log: silent,
    ...options,
  });
  const files = new Map<string, string>();
  const storage = {
    read: async (name: string) => files.get(name),
    write: async (name: string, data: string) => void files.set(name, data),
  };
  const pki = await openPki(storage, { clock: systemClock, names: ["127.0.0.1"] });
  const ca = pki.ca();
  const listener = await listen(server, {
    port: 0,
    tls: { ...pki.serving(), clientCa: ca },
    authenticate: async ({ headers }) => ({
      name: headers["x-test-user"] ?? headers["authorization"]?.slice("Bearer ".length) ?? "tester",
      groups: ["testers"],
    }),
    clock: systemClock,
    log: silent,
  });
  scope.defer(() => listener.close());
  scope.defer(() => server.close());
  const { port } = listener;
  const tls = { ca, host: "127.0.0.1", port, servername: "localhost" };
  const request1 = (path: string, { method = "GET", headers = {}, body }: Asked) =>
    https
      .request({ ...tls, path, method, headers, agent: false } as https.RequestOptions)
      .end(body);
  return {
    server,
    pki,
    port,
    ca,
    scope,
    async put(resource, object) {
      const { namespace, name } = (object as KubeObject).metadata;
      const key = namespace ? `${resource}/${namespace}/${name}` : `${resource}/${name}`;
      await server.store.create(key, encodeBody(object as KubeObject));
    },
    async ask(path, asked = {}) {
      const [response] = (await once(request1(path, asked), "response")) as [IncomingMessage];
      return answerOf(response.statusCode!, response.headers, await gather(response));
    },
    async ask2(path, { method = "GET", headers = {}, body } = {}) {
      const session = http2.connect(`https://127.0.0.1:${port}`, { ca, servername: "localhost" });
      const stream = session.request({ ":path": path, ":method": method, ...headers });
      stream.end(body);
      const [head] = await once(stream, "response");
      const chunks = await gather(stream);
      session.close();
      return answerOf(head[":status"], head, chunks);
    },
    async upgrade(path, headers) {
      const sent = request1(path, { headers: { connection: "Upgrade", ...headers } });
      return new Promise((resolve, reject) => {
        sent.on("error", reject);
        sent.on("upgrade", (answer, socket) => resolve({ answer, socket }));
        sent.on("response", (response) =>
          gather(response).then(
            (chunks) => resolve(answerOf(response.statusCode!, response.headers, chunks)),
            reject,
          ),
        );
      });
    },
  };
}
