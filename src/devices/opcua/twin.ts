// Values of an OPC UA server's nodes. `{node: "ns=2;s=Speed"}`
import { X509Certificate } from "node:crypto";
import type { Device, DiscoverRequest, HandlerWorld } from "../discovery/handler.ts";
import { loginOf, textOf } from "../discovery/properties.ts";
import type { Properties } from "../discovery/properties.ts";
import type { Access, TwinChannel } from "../twins/channel.ts";
import { UaError } from "./codec.ts";
import { readIdentity } from "./security.ts";
import { UaSession } from "./session.ts";
import { nodeOf } from "./values.ts";

function trustOf(given: Properties) {
  const [certificate, privateKey, server] = ["certificate", "privateKey", "serverCertificate"].map(
    (name) => textOf(given, name),
  );
  if (certificate === undefined) {
    const other = privateKey === undefined ? server && "serverCertificate" : "privateKey";
    if (other) throw new UaError(`discoveryProperties ${other}: nothing without certificate`);
    return {};
  }
  try {
    return {
      identity: readIdentity(certificate, privateKey ?? ""),
      serverCertificate: server === undefined ? undefined : new X509Certificate(server).raw,
    };
  } catch (error) {
    const message = (error as Error).message;
    throw new UaError(`discoveryProperties certificate, privateKey, serverCertificate: ${message}`);
  }
}

export async function openUaTwin(
  { properties }: Device,
  { properties: given, signal }: Pick<DiscoverRequest, "properties" | "signal">,
  { clock }: Pick<HandlerWorld, "clock">,
): Promise<TwinChannel> {
  const url = properties["OPCUA_DISCOVERY_URL"]!;
  const session = await UaSession.open(url, {
    clock,
    signal,
    login: loginOf(given),
    ...trustOf(given),
  });
  const read = ({ node }: Access) => session.read(nodeOf(node));
  return {
    read: async (access) => (await read(access)).text,
    async write(access, value) {
      // A node takes only values of its own type.
      const { type } = await read(access);
      await session.write(nodeOf(access["node"]), type, value);
    },
    close: () => session.close(),
  };
}
