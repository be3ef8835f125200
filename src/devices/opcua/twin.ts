// Values of an OPC UA server's nodes. `{node: "ns=2;s=Speed"}`
import type { Device, DiscoverRequest, HandlerWorld } from "../handler.ts";
import { loginOf } from "../properties.ts";
import type { Access, TwinChannel } from "../twins/channel.ts";
import { UaSession } from "./session.ts";
import { nodeOf } from "./values.ts";

export async function openUaTwin(
  { properties }: Device,
  { properties: given, signal }: Pick<DiscoverRequest, "properties" | "signal">,
  { clock }: Pick<HandlerWorld, "clock">,
): Promise<TwinChannel> {
  const url = properties["OPCUA_DISCOVERY_URL"]!;
  const session = await UaSession.open(url, { clock, signal, login: loginOf(given) });
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
