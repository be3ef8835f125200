import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { dialTcp } from "./dial-tcp.ts";

test("a connection that is refused says where and why, as Go does", async () => {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const connection = await dialTcp("127.0.0.1", port);
  connection.destroy();
  await new Promise((resolve) => server.close(resolve));
  const message = `dial tcp 127.0.0.1:${port}: connect: connection refused`;
  await assert.rejects(dialTcp("127.0.0.1", port), { message });
});
