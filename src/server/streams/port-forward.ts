// `kubectl port-forward`: a SPDY session, tunnelled in a WebSocket or on the bare connection. For each
// connection it forwards, the client opens a stream for errors and one for data, tied by a request id.
import { type Duplex, pipeline } from "node:stream";
import { createWebSocketStream } from "ws";
import type { KubeObject } from "../../kinds/object.ts";
import type { NodeConnection } from "../../lib/node-connection.ts";
import { badRequest } from "../../lib/status-error.ts";
import type { HandlerContext, UpgradeHandler } from "../policy.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";
import { addressOf, connectionTo, findPod } from "./pod-target.ts";
import { acceptSpdy, isSpdy } from "./spdy/accept.ts";
import { SpdySession, type SpdyStream } from "./spdy/session.ts";
import { portChannelProtocols, portsOf, servePortChannels } from "./port-forward-socket.ts";
import { acceptWebSocket, isWebSocket, offeredProtocols } from "./websocket.ts";

const protocol = "portforward.k8s.io";

const tunnelled = `SPDY/3.1+${protocol}`;

const isTunnel = (upgrade: UpgradeSocket) => offeredProtocols(upgrade).includes(tunnelled);

async function accept(upgrade: UpgradeSocket): Promise<Duplex> {
  if (isWebSocket(upgrade)) {
    const { socket } = await acceptWebSocket(upgrade, [tunnelled]);
    return createWebSocketStream(socket);
  }
  if (isSpdy(upgrade)) return acceptSpdy(upgrade, [protocol]).socket;
  throw badRequest("unable to upgrade: only websocket and SPDY/3.1 are spoken here");
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
}

/** Old clients send no request id; their data stream comes right after their error stream. */
function requestIdOf({ headers, id }: SpdyStream): string {
  return headers["requestid"] ?? String(headers["streamtype"] === "data" ? id - 2 : id);
}

async function forward(node: NodeConnection, pod: KubeObject, data: SpdyStream, error: SpdyStream) {
  const port = Number(data.headers["port"]);
  const fail = (reason: unknown) => {
    const text = reason instanceof Error ? reason.message : String(reason);
    const { name, uid } = pod.metadata;
    error.end(`error forwarding port ${data.headers["port"]} to pod ${name}, uid ${uid}: ${text}`);
    data.end();
  };
  if (!Number.isInteger(port) || port < 1 || port > 65535) return fail("the port is not valid");
  let target: Duplex;
  try {
    target = await node.portForward(addressOf(pod), port);
  } catch (reason) {
    return fail(reason);
  }
  // Both ways end on their own; the error stream ends with the answers.
  pipeline(data, target, () => {});
  pipeline(target, data, () => error.end());
}

/** Serves one session until the client leaves. */
export function servePortForward(transport: Duplex, node: NodeConnection, pod: KubeObject) {
  const pairs = new Map<string, Pair>();
  const session = new SpdySession(transport, (stream) => {
    stream.on("error", () => {});
    const type = stream.headers["streamtype"];
    if (type !== "data" && type !== "error") return void stream.destroy();
    const id = requestIdOf(stream);
    const pair: Pair = { ...pairs.get(id), [type]: stream };
    pairs.set(id, pair);
    stream.on("close", () => pairs.delete(id));
    if (pair.data && pair.error) void forward(node, pod, pair.data, pair.error);
  });
  return session.run();
}

export const podPortForward: UpgradeHandler = async (context: HandlerContext, upgrade) => {
  const pod = await findPod(context);
  if (pod.status?.phase !== "Running") {
    throw badRequest(
      `unable to forward port because pod is not running. Current status=${pod.status?.phase ?? "Unknown"}`,
    );
  }
  const node = await connectionTo(context.server, pod);
  if (isWebSocket(upgrade) && !isTunnel(upgrade)) {
    const ports = portsOf(context.request.query);
    const accepted = await acceptWebSocket(upgrade, portChannelProtocols);
    return servePortChannels(accepted, { node, pod, ports });
  }
  await servePortForward(await accept(upgrade), node, pod);
};
