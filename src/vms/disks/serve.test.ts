// What whoever uploads a disk hears of a body that is refused.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { receive } from "./serve.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-serve-"));
const file = join(folder, "part");
const bytesMax = 1_000_000;
const server = createServer((asked, response) => {
  receive(asked, { file, bytesMax, told: () => {} }).then(
    () => response.end("taken"),
    (error: Error) => response.writeHead(400).end(error.message),
  );
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const agent = new Agent({ keepAlive: true });
after(() => {
  agent.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

/** Sends all of it, whatever is answered meanwhile. */
async function send(body: Buffer, headers: object) {
  const { port } = server.address() as AddressInfo;
  const sent = request({ port, agent, method: "POST", headers: { ...headers } });
  const isSent = once(sent, "close");
  sent.end(body);
  const [answer] = await once(sent, "response");
  const said = `${answer.statusCode} ${await answer.setEncoding("utf8").toArray()}`;
  await isSent;
  return said;
}

test("a disk that is larger than there is room for is refused in words, whether its length is known or not", async () => {
  const [fits, large] = [Buffer.alloc(bytesMax, "a"), Buffer.alloc(40 * bytesMax, "a")];
  for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
    assert.equal(await send(fits, headers), "200 taken");
    assert.deepEqual(readFileSync(file), fits);
    const said = await send(large, headers);
    assert.match(said, /^400 .*more than the 1000000 bytes that an image for this claim may have/);
  }
});
