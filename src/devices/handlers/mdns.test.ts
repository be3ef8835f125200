import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { afterEach, beforeEach, test } from "node:test";
import packet from "dns-packet";
import { hurried, startSearch } from "../../../test/support/handlers.ts";
import { Scope } from "../../lib/scope.ts";
import { DetailsError } from "../discovery/handler.ts";
import { mdns } from "./mdns.ts";

const service = "_printer._tcp.local";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

/** Announces printers by name; resolves with its port. */
async function announce(names: string[], garbage = false): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    const { questions = [] } = packet.decode(bytes);
    if (questions[0]?.name !== service) return;
    const answers = names.map((name) => ({
      type: "PTR" as const,
      name: service,
      data: `${name}.${service}`,
    }));
    const additionals = names.flatMap((name) => [
      {
        type: "SRV" as const,
        name: `${name}.${service}`,
        data: { target: `${name}.local`, port: 631 },
      },
      { type: "TXT" as const, name: `${name}.${service}`, data: ["rp=queue", "bare"] },
      { type: "A" as const, name: `${name}.local`, data: "192.168.1.7" },
    ]);
    const answer = packet.encode({ type: "response", id: 0, answers, additionals });
    if (garbage) socket.send(Buffer.from("no message"), from.port, from.address);
    socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  scope.defer(() => void socket.close());
  return socket.address().port;
}

const look = (port: number, details: object = {}) => {
  const world = { clock: hurried, probeTo: { host: "127.0.0.1", port } };
  return startSearch(mdns, { services: ["_printer._tcp"], ...details }, { scope, world })();
};

test("each instance of a service is a device with its address, port and texts", async () => {
  const [one] = await look(await announce(["hall"], true));
  assert.equal(one?.id, `hall.${service}`);
  assert.deepEqual(one?.properties, {
    MDNS_TXT_RP: "queue",
    MDNS_NAME: "hall",
    MDNS_SERVICE: service,
    MDNS_HOST: "hall.local",
    MDNS_PORT: "631",
    MDNS_ADDRESS: "192.168.1.7",
  });
});

test("only those of wanted names are found", async () => {
  const port = await announce(["hall", "cellar"]);
  const found = await look(port, { names: { action: "Exclude", items: ["hall"] } });
  assert.deepEqual(
    found.map(({ id }) => id),
    [`cellar.${service}`],
  );
});

test("what is no service is refused", async () => {
  const wrong = startSearch(mdns, { services: ["printer"] }, { scope });
  await assert.rejects(wrong(), DetailsError);
});
