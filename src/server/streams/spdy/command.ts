// exec and attach over SPDY: the client opens one stream for each of stdin, stdout, stderr, the error
// and the terminal's sizes, and the command starts when all of them are there.
import type { Clock } from "../../../lib/clock.ts";
import { badRequest } from "../../../lib/status-error.ts";
import type { UpgradeSocket } from "../../upgrade-socket.ts";
import { errorText } from "../command-status.ts";
import type { CommandStreams, CommandTransport } from "../command-streams.ts";
import { terminalSizes } from "../terminal-sizes.ts";
import { acceptSpdy } from "./accept.ts";
import { SpdySession, type SpdyStream } from "./session.ts";

/** Before v3 there were no terminal sizes, before v4 the error was a sentence. */
const protocols = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

const write = (stream: SpdyStream, chunk: Uint8Array) =>
  new Promise<void>((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()));
  });

const end = (stream: SpdyStream) =>
  new Promise<void>((resolve) => {
    if (stream.destroyed) return resolve();
    stream.on("close", resolve);
    stream.end(() => resolve());
  });

/** Time in which a client must open its streams, as upstream. */
const openMsMax = 30_000;

/** Resolves once the client has opened every stream it asked for; throws when it does not. */
export async function spdyCommandTransport(
  upgrade: UpgradeSocket,
  asked: CommandStreams,
  clock: Clock,
): Promise<CommandTransport> {
  const wanted = ["error", ...(["stdin", "stdout", "stderr"] as const).filter((one) => asked[one])];
  const open = new Map<string, SpdyStream>();
  const gone = new AbortController();
  const { socket, protocol } = acceptSpdy(upgrade, protocols);
  const sizes = asked.tty && /^v[34]/.test(protocol);
  if (sizes) wanted.push("resize");
  const session = await new Promise<SpdySession>((resolve, reject) => {
    const accepted = new SpdySession(socket, (stream) => {
      stream.on("error", () => {});
      open.set(stream.headers["streamtype"] ?? "", stream);
      if (wanted.every((name) => open.has(name))) resolve(accepted);
    });
    const cancel = clock.after(openMsMax, () => {
      if (!wanted.every((name) => open.has(name))) accepted.close();
    });
    void accepted.run().then(() => {
      cancel();
      gone.abort(new Error("the client went away"));
      reject(badRequest(`the client left before it opened ${wanted.join(", ")}`));
    });
  });
  return {
    streams: {
      stdin: open.get("stdin"),
      stdout: (chunk) => write(open.get("stdout")!, chunk),
      stderr: (chunk) => write(open.get("stderr")!, chunk),
      resize: sizes ? terminalSizes(open.get("resize")!) : undefined,
      signal: gone.signal,
    },
    async finish(status) {
      if (gone.signal.aborted) return;
      const text = errorText(status, protocol);
      if (text) open.get("error")!.write(text);
      await Promise.all([...open.values()].map(end));
      session.end();
    },
  };
}
