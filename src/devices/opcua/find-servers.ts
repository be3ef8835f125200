// Asks an OPC UA server or discovery server which servers it knows, which needs no session and no certificate
// (OPC 10000-4, 5.5.2).
import type { Clock } from "../../lib/clock.ts";
import { UaChannel } from "./channel.ts";
import { UaError, UaWriter } from "./codec.ts";
import type { UaReader } from "./codec.ts";

const types = { findServers: 422, foundServers: 425 };
const kinds = ["Server", "Client", "ClientAndServer", "DiscoveryServer"] as const;

export interface UaServer {
  name: string;
  kind: (typeof kinds)[number];
  urls: string[];
}

/** An ApplicationDescription. */
export function readServer(reader: UaReader): UaServer {
  reader.text();
  reader.text();
  const name = reader.localizedText() ?? "";
  const kind = kinds[reader.u32()];
  if (!kind) throw new UaError("a server is of no known kind");
  reader.text();
  reader.text();
  const urls = reader.list(() => reader.text() ?? "");
  return { name, kind, urls };
}

/** Throws UaError, or what the connection says. */
export async function findServers(
  url: string,
  options: { clock: Clock; signal: AbortSignal },
): Promise<UaServer[]> {
  const channel = await UaChannel.open(url, options);
  try {
    const body = new UaWriter().text(url).u32(0).u32(0).bytes();
    const reader = await channel.ask({
      type: types.findServers,
      answer: types.foundServers,
      body,
    });
    return reader.list(() => readServer(reader));
  } finally {
    channel.close();
  }
}
