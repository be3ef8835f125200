// Answers pods' questions over UDP and TCP.
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { createServer } from "node:net";
import type { Socket as TcpSocket } from "node:net";
import { familyOf } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { fitDatagram } from "./dns-message.ts";
import { Resolver } from "./dns-resolver.ts";
import type { ResolverOptions } from "./dns-resolver.ts";

export interface DnsServerOptions extends ResolverOptions {
  addresses: string[];
  /** 0 takes a free one. */
  port: number;
  scope: Scope;
}

const tcpConnectionsMax = 100;
const tcpIdleMs = 10_000;

function serveUdp(socket: Socket, resolver: Resolver, log: Log) {
  socket.on("message", (message, client) => {
    resolver
      .resolve(message, client.address)
      .then(({ query, response }) =>
        socket.send(fitDatagram(query, response), client.port, client.address),
      )
      .catch((error: Error) =>
        log.debug("a DNS question was not understood", { error: error.message }),
      );
  });
  socket.on("error", (error) => log.warn("DNS socket", { error: error.message }));
}

function serveTcp(socket: TcpSocket, resolver: Resolver) {
  let buffered: Buffer = Buffer.alloc(0);
  socket.setTimeout(tcpIdleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const length = buffered.readUInt16BE(0);
      const message = buffered.subarray(2, 2 + length);
      buffered = buffered.subarray(2 + length);
      resolver.resolve(message, socket.remoteAddress ?? "").then(
        ({ response }) => {
          const size = Buffer.alloc(2);
          size.writeUInt16BE(response.length);
          socket.write(Buffer.concat([size, response]));
        },
        () => socket.destroy(),
      );
    }
  });
}

async function listenAt(
  resolver: Resolver,
  {
    address,
    port,
    log,
    scope,
  }: Pick<DnsServerOptions, "port" | "log" | "scope"> & { address: string },
): Promise<number> {
  const tcp = createServer((socket) => serveTcp(socket, resolver));
  tcp.maxConnections = tcpConnectionsMax;
  await new Promise<void>((resolve, reject) => {
    tcp.once("error", reject);
    tcp.listen(port, address, resolve);
  });
  const { port: own } = tcp.address() as { port: number };
  const udp = createSocket(familyOf(address) === "IPv6" ? "udp6" : "udp4");
  await new Promise<void>((resolve, reject) => {
    udp.once("error", reject);
    udp.bind(own, address, resolve);
  });
  serveUdp(udp, resolver, log);
  scope.defer(() => {
    udp.close();
    tcp.close();
  });
  return own;
}

/** Listens on the same port for UDP and TCP, at all addresses; resolves with it. */
export async function startDnsServer(options: DnsServerOptions): Promise<number> {
  const resolver = new Resolver(options);
  let { port } = options;
  for (const address of options.addresses) {
    port = await listenAt(resolver, { ...options, address, port });
  }
  return port;
}
