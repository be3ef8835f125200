// The tunnels that nodes have opened to this server (`/api/v1/nodes/NAME/tunnel`). A node that connects again
// takes the place of its older tunnel, which may be dead and not know it.
import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeConnection } from "../../lib/node-connection.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import { tunnelProtocol } from "../../lib/tunnel/protocol.ts";
import type { HandlerContext, Plugs, UpgradeSocket } from "../policy.ts";
import { RemoteNode } from "./remote-node.ts";

/** A tunnel says something at least this often, so that routers on the way do not forget it. */
const pingMs = 15_000;
const pongMsMax = 10_000;

interface Tunnel {
  session: ClientHttp2Session;
  node: NodeConnection;
}

export class Tunnels {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #byNode = new Map<string, Tunnel>();

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  plug({ upgrades, subresources }: Plugs) {
    upgrades.set("nodes/tunnel", (context, upgrade) => this.#open(context, upgrade));
    subresources.set("nodes/tunnel", async () => {
      throw badRequest("Upgrade request required");
    });
  }

  /** Throws ServiceUnavailable when the node has no tunnel here. */
  connectionTo(name: string): NodeConnection {
    const tunnel = this.#byNode.get(name);
    if (tunnel) return tunnel.node;
    throw new StatusError("ServiceUnavailable", `node ${name} is not connected`);
  }

  close() {
    for (const { session } of this.#byNode.values()) session.destroy();
  }

  async #open({ info }: HandlerContext, { message, socket }: UpgradeSocket) {
    if (message.headers.upgrade !== tunnelProtocol) {
      throw badRequest(`a tunnel is opened with Upgrade: ${tunnelProtocol}`);
    }
    const name = info.name!;
    const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`;
    // HTTP/2 takes the connection over whole: nothing of ours may still be on its way.
    await new Promise<void>((resolve, reject) => {
      socket.write(head, (error) => (error ? reject(error) : resolve()));
    });
    const session = connect("http://node", { createConnection: () => socket });
    const tunnel = { session, node: new RemoteNode(session) };
    this.#byNode.get(name)?.session.destroy();
    this.#byNode.set(name, tunnel);
    this.#log.info("a node is connected", { node: name });
    const stop = this.#clock.every(pingMs, () => this.#ping(session));
    session.on("error", () => session.destroy());
    session.once("close", () => {
      stop();
      socket.destroy();
      if (this.#byNode.get(name) !== tunnel) return;
      this.#byNode.delete(name);
      this.#log.info("a node is no longer connected", { node: name });
    });
  }

  #ping(session: ClientHttp2Session) {
    if (session.destroyed) return;
    const giveUp = this.#clock.after(pongMsMax, () => session.destroy());
    session.ping((error) => {
      giveUp();
      if (error) session.destroy();
    });
  }
}
