// An SNMP agent for tests: a switch with a description and a name, for who knows the community.
import { createSocket } from "node:dgram";
import type { Scope } from "../../lib/scope.ts";
import { elements } from "./messages.ts";

const system = [
  [0x04, Buffer.from("A switch")],
  [0x06, Buffer.from([43, 6, 1, 4, 1, 9])],
  [0x04, Buffer.from("switch-1")],
] as const;

const tlv = (tag: number, body: Buffer) => Buffer.concat([Buffer.from([tag, body.length]), body]);

/** Resolves with its port on the loopback. */
export async function startFakeSnmpAgent(community: string, scope: Scope): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    const [version, known, pdu] = elements(elements(bytes)[0]!.body);
    if (known!.body.toString() !== community) return;
    const [id, , , bindings] = elements(pdu!.body);
    const values = elements(bindings!.body).map(({ body }, i) => {
      const [name] = elements(body);
      const [tag, value] = system[i]!;
      return tlv(0x30, Buffer.concat([tlv(0x06, name!.body), tlv(tag, value)]));
    });
    const zero = tlv(0x02, Buffer.from([0]));
    const body = [tlv(0x02, id!.body), zero, zero, tlv(0x30, Buffer.concat(values))];
    const parts = [
      tlv(0x02, version!.body),
      tlv(0x04, known!.body),
      tlv(0xa2, Buffer.concat(body)),
    ];
    socket.send(tlv(0x30, Buffer.concat(parts)), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  scope.defer(() => void socket.close());
  return socket.address().port;
}
