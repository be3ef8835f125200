import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { after, test } from "node:test";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { openLmdbStore } from "../../store/lmdb.ts";
import { startListener } from "../test-listener.ts";

const directory = mkdtempSync(join(tmpdir(), "kerb-long-list-"));
const scope = new Scope();
after(async () => {
  await scope.close();
  rmSync(directory, { recursive: true });
});

const path = "/api/v1/namespaces/a/configmaps";
const headers = { authorization: "Bearer tester" };
const count = 1300;

/** Takes a piece at a time, and lets others go on in between. */
async function readSlowly(stream: Readable, pauses: number) {
  const hash = createHash("sha256");
  let pieces = 0;
  for await (const piece of stream) {
    hash.update(piece);
    if (pieces++ % 7 < pauses) await new Promise(setImmediate);
  }
  return hash.digest("hex");
}

test("long lists are whole, however slowly and at once they are read", async (t) => {
  const store = await openLmdbStore(directory, { clock: systemClock, log: silent });
  scope.defer(() => store.close());
  const { put, port, ca } = await startListener({ store }, { scope });
  const put1 = (i: number) => {
    // Some are longer than what lists are written in.
    const data = { text: String(i % 10).repeat(i % 500 === 0 ? 400_000 : 1000 + (i % 7) * 900) };
    const metadata = { name: `c-${i}`, namespace: "a" };
    return put("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata, data });
  };
  for (let i = 0; i < count; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => put1(i + j)));
  }
  const session = http2.connect(`https://127.0.0.1:${port}`, { ca, servername: "localhost" });
  t.after(() => session.destroy());
  const ask2 = (pauses: number) =>
    readSlowly(session.request({ ":path": path, ...headers }), pauses);
  const ask1 = async (pauses: number) => {
    const options = { host: "127.0.0.1", port, path, headers, ca, servername: "localhost" };
    const [answer] = await once(https.get({ ...options, agent: false }), "response");
    return readSlowly(answer, pauses);
  };
  const stream = session.request({ ":path": path, ...headers });
  let text = "";
  for await (const piece of stream) text += piece;
  const { items } = JSON.parse(text);
  assert.equal(items.length, count);
  for (const { metadata, data } of items) {
    const i = Number(metadata.name.slice(2));
    assert.match(data.text, new RegExp(`^${i % 10}+$`));
  }
  const whole = createHash("sha256").update(text).digest("hex");
  const read = await Promise.all([0, 3, 6].flatMap((n) => [ask1(n), ask2(n), ask2(n), ask1(n)]));
  assert.deepEqual([...new Set(read)], [whole]);
});
