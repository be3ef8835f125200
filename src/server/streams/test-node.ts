// A server with one pod whose node is a fake, for the tests of this folder.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { NodeConnection } from "../../lib/node-connection.ts";
import { StatusError } from "../../lib/status-error.ts";
import { systemClock } from "../../lib/clock.ts";
import { Scope } from "../../lib/scope.ts";
import type { HandlerContext, Plugs } from "../policy.ts";
import { plugStreams } from "./streams.ts";

const pod = {
  metadata: { name: "web", namespace: "default", uid: "uid-1" },
  spec: { nodeName: "edge-1", containers: [{ name: "main" }] },
  status: { phase: "Running" },
};

export const twoContainers = {
  metadata: { name: "two", namespace: "default", uid: "uid-2" },
  spec: {
    nodeName: "edge-1",
    containers: [{ name: "a" }, { name: "b" }],
    initContainers: [{ name: "i" }],
  },
};

const pods: Record<string, object> = { web: pod, two: twoContainers };

const unused = async () => {
  throw new StatusError("InternalError", "not asked for in this test");
};

export function streamPlugs(): Plugs {
  const plugs = {
    subresources: new Map(),
    upgrades: new Map(),
    reviews: new Map(),
    paths: new Map(),
  };
  plugStreams(plugs);
  return plugs;
}

export function contextFor(
  url: string,
  node: Partial<NodeConnection>,
  signal: AbortSignal,
): HandlerContext & { handler: string } {
  const { pathname, searchParams: query } = new URL(url, "http://kerb");
  const [name = "", subresource = ""] = pathname.split("/").slice(1);
  const whole = {
    logs: unused,
    exec: unused,
    attach: unused,
    portForward: unused,
    dial: unused,
    ask: unused,
    open: unused,
    ...node,
  };
  const entry = pods[name] && { value: Buffer.from(JSON.stringify(pods[name])) };
  return {
    handler: `pods/${subresource}`,
    server: {
      clock: systemClock,
      store: { get: () => entry },
      nodeConnector: async () => whole,
    } as any,
    request: { query, signal } as any,
    info: { namespace: "default", name, subresource } as any,
  };
}

/** Serves `/POD/SUBRESOURCE?...` upgrades; a refusal is answered as plain text. */
export async function serveStreams(node: Partial<NodeConnection>) {
  const scope = new Scope();
  const { upgrades } = streamPlugs();
  const server = createServer();
  const sockets = new Set<Duplex>();
  server.on("upgrade", (message, socket: Duplex, head) => {
    sockets.add(socket);
    const gone = new AbortController();
    socket.on("close", () => gone.abort(new Error("gone")));
    const context = contextFor(message.url!, node, gone.signal);
    const handler = upgrades.get(context.handler)!;
    handler(context, { message, socket, head }).catch((error: Error) => {
      socket.end(`HTTP/1.1 400 Bad Request\r\ncontent-length: ${error.message.length}\r\n\r\n`);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  scope.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { scope, port: (server.address() as AddressInfo).port };
}
