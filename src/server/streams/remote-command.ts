// exec and attach: the same for every protocol that carries them.
import type { Streams } from "../../lib/node-connection.ts";
import { badRequest } from "../../lib/status-error.ts";
import type { HandlerContext, UpgradeHandler } from "../policy.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";
import { isTrue } from "../request-info.ts";
import { channelProtocols, channelTransport } from "./channels.ts";
import type { CommandStreams, CommandTransport } from "./command-streams.ts";
import { exitStatus, failureStatus } from "./command-status.ts";
import { addressOf, connectionTo, containerOf, findPod } from "./pod-target.ts";
import { isSpdy } from "./spdy/accept.ts";
import { spdyCommandTransport } from "./spdy/command.ts";
import { acceptWebSocket, isWebSocket } from "./websocket.ts";

function streamsOf(query: URLSearchParams): CommandStreams {
  const asked = {
    stdin: isTrue(query.get("stdin")),
    stdout: isTrue(query.get("stdout")),
    stderr: isTrue(query.get("stderr")),
    tty: isTrue(query.get("tty")),
  };
  if (!asked.stdin && !asked.stdout && !asked.stderr) {
    throw badRequest("you must specify at least 1 of stdin, stdout, stderr");
  }
  // A terminal has one output.
  if (asked.tty && asked.stdout) asked.stderr = false;
  return asked;
}

async function accept(
  { request, server }: HandlerContext,
  upgrade: UpgradeSocket,
  asked: CommandStreams,
): Promise<CommandTransport> {
  if (isWebSocket(upgrade)) {
    const accepted = await acceptWebSocket(upgrade, channelProtocols);
    return channelTransport(accepted, asked, request.signal);
  }
  if (isSpdy(upgrade)) return spdyCommandTransport(upgrade, asked, server.clock);
  throw badRequest("unable to upgrade: only websocket and SPDY/3.1 are spoken here");
}

/** Chunks for a stream that nobody asked for go nowhere. */
const drop = async () => {};

function onlyAsked(streams: Streams, asked: CommandStreams): Streams {
  return {
    ...streams,
    stdout: asked.stdout ? streams.stdout : drop,
    stderr: asked.stderr ? streams.stderr : drop,
  };
}

export const remoteCommand =
  (subresource: "exec" | "attach"): UpgradeHandler =>
  async (context, upgrade) => {
    const { server, request } = context;
    const { query } = request;
    const pod = await findPod(context);
    const container = containerOf(pod, query.get("container"));
    const asked = streamsOf(query);
    const command = query.getAll("command");
    if (subresource === "exec" && command.length === 0) {
      throw badRequest("you must specify a command for the container");
    }
    const node = await connectionTo(server, pod);
    const address = addressOf(pod);
    const { tty } = asked;
    const transport = await accept(context, upgrade, asked);
    const streams = onlyAsked(transport.streams, asked);
    try {
      if (subresource === "exec") {
        const code = await node.exec(address, container, { command, tty }, streams);
        await transport.finish(exitStatus(code));
      } else {
        await node.attach(address, container, { tty }, streams);
        await transport.finish(exitStatus(0));
      }
    } catch (error) {
      await transport.finish(failureStatus(error));
    }
  };
