// The tunnels that nodes have opened to this server (`/api/v1/nodes/NAME/tunnel`).
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeConnection } from "../../lib/node-connection.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import { tunnelProtocol } from "../../lib/tunnel/protocol.ts";
import { TunnelSessions } from "../../lib/tunnel/sessions.ts";
import type { HandlerContext, Plugs } from "../policy.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";
import { RemoteNode } from "./remote-node.ts";

export class Tunnels {
  readonly #sessions: TunnelSessions;

  constructor(options: { clock: Clock; log: Log }) {
    this.#sessions = new TunnelSessions(options);
  }

  plug({ upgrades, subresources }: Plugs) {
    upgrades.set("nodes/tunnel", (context, upgrade) => this.#open(context, upgrade));
    subresources.set("nodes/tunnel", async () => {
      throw badRequest("Upgrade request required");
    });
  }

  /** Throws ServiceUnavailable when the node has no tunnel here. */
  connectionTo(name: string): NodeConnection {
    const session = this.#sessions.get(name);
    if (session) return new RemoteNode(session);
    throw new StatusError("ServiceUnavailable", `node ${name} is not connected`);
  }

  close() {
    this.#sessions.close();
  }

  async #open({ info }: HandlerContext, { message, socket }: UpgradeSocket) {
    if (message.headers.upgrade !== tunnelProtocol) {
      throw badRequest(`a tunnel is opened with Upgrade: ${tunnelProtocol}`);
    }
    await this.#sessions.open(info.name!, socket);
  }
}
