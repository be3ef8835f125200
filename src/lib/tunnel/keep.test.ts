import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import { performServerHandshake } from "node:http2";
import type { ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { eventually } from "../../../test/support/eventually.ts";
import { openPki } from "../../server/auth/pki.ts";
import { FakeClock } from "../fake-clock.ts";
import { silent } from "../log.ts";
import { Scope } from "../scope.ts";
import { keepTunnel } from "./keep.ts";
import { pingMsOf, TunnelSessions } from "./sessions.ts";

for (const [asked, seconds] of [
  [undefined, 15],
  ["60", 60],
  ["1", 15],
  ["86400", 120],
  ["soon", 15],
] as const) {
  test(`a tunnel that asks for a ping each ${asked ?? "-"} seconds gets one each ${seconds}`, () => {
    assert.equal(pingMsOf(asked ? { "kerb-tunnel-ping-seconds": asked } : {}), seconds * 1000);
  });
}

test("a tunnel stands while the server's pings come, and is made again when they do not", async () => {
  const [there, here] = [new FakeClock(), new FakeClock()];
  const storage = { read: async () => undefined, write: async () => {} };
  const pki = await openPki(storage, { clock: here, names: ["127.0.0.1"] });
  const sessions = new TunnelSessions({ clock: there, log: silent });
  const server = createServer(pki.serving());
  server.on("upgrade", (request, socket) => {
    void sessions.open("farm", socket, request.headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const scope = new Scope();
  const made: ServerHttp2Session[] = [];
  keepTunnel({
    url: new URL(`https://127.0.0.1:${port}/tunnel`),
    identity: () => ({ ca: pki.ca() }),
    pingSeconds: 60,
    serve: (socket) => {
      const session = performServerHandshake(socket);
      session.on("error", () => session.destroy());
      made.push(session);
      return session;
    },
    ...{ clock: here, log: silent, scope },
  });
  await eventually(async () => made.length === 1 && sessions.get("farm"), "the tunnel");
  for (let minute = 0; minute < 8; minute++) {
    const pinged = once(made[0]!, "ping");
    await there.advance(60_000);
    await pinged;
    await here.advance(60_000);
  }
  assert.equal(made.length, 1);
  assert.equal(made[0]!.destroyed, false);
  const used = once(made[0]!, "ping");
  await there.advance(20_000);
  sessions.get("farm");
  await used;
  await here.advance(150_000);
  await eventually(async () => {
    await here.advance(1000);
    return made.length === 2;
  }, "another tunnel");
  await scope.close();
  sessions.close();
  server.close();
});
