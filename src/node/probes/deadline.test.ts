import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { systemClock } from "../../lib/clock.ts";
import { deadline } from "./deadline.ts";
import { runHandler } from "./handlers.ts";
import type { HandlerContext } from "./handlers.ts";

test("time is up once, after all of it, unless it is cancelled", async () => {
  const clock = new FakeClock();
  const late: string[] = [];
  deadline(clock, 1000, () => late.push("one"));
  const cancel = deadline(clock, 1000, () => late.push("other"));
  await clock.advance(999);
  assert.deepEqual(late, []);
  cancel();
  await clock.advance(5000);
  assert.deepEqual(late, ["one"]);
});

const timeoutMs = 100;

/** Nothing of this process is done meanwhile, as on a machine whose processors others have. */
function standStill() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * timeoutMs);
}

for (const [what, handler] of [
  ["a port", (port: number) => ({ tcpSocket: { port } })],
  ["a page", (port: number) => ({ httpGet: { port } })],
] as const) {
  test(`${what} that answered while Kerb stood still has answered`, async (t) => {
    const server = createServer((_, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const context = {
      ...{
        clock: systemClock,
        timeoutMs,
        podIp: "127.0.0.1",
        container: { name: "c", image: "i" },
      },
      signal: new AbortController().signal,
    } as unknown as HandlerContext;
    const result = runHandler(handler((server.address() as AddressInfo).port), context);
    standStill();
    assert.deepEqual(await result, { ok: true, output: "" });
  });
}
