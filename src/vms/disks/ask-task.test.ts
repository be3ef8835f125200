import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { progressOf } from "./ask-task.ts";
import { taskAnnotation } from "./task.ts";

const pod: any = {
  metadata: { annotations: { [taskAnnotation]: JSON.stringify({ key: "k" }) } },
  spec: { nodeName: "shop" },
  status: { podIP: "10.0.0.7" },
};

/** What is made of a pod's answer. */
async function heard(answer: (response: ServerResponse) => void) {
  const server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const connector = async () => ({ dial: async () => connect(port, "127.0.0.1") });
  try {
    return await progressOf(connector as unknown as NodeConnector, pod);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
const says = (value: unknown) => heard((response) => response.end(JSON.stringify(value)));

test("how far a disk is, is heard from its pod", async () => {
  const whole = { phase: "copying", doneBytes: 5, totalBytes: 10 };
  assert.deepEqual(await says({ ...whole, more: "x" }), whole);
});

test("a pod that talks without end, or nonsense, has said nothing", async () => {
  let sent = 0;
  const endless = await heard((response) => {
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(1000))) sent += 1000;
    };
    response.on("drain", more);
    response.on("error", () => {});
    more();
  });
  assert.equal(endless, undefined);
  assert.ok(sent < 2 ** 24, String(sent));
  assert.equal(await says({ phase: "copying", doneBytes: "all" }), undefined);
  assert.equal(await says({ phase: "copying", doneBytes: 1, totalBytes: -1 }), undefined);
  assert.equal(await says({ doneBytes: 1 }), undefined);
  assert.equal(await says(null), undefined);
});
