import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../lib/clock.ts";
import { fetchFile } from "./fetch.ts";
import { LargeReads } from "./large-reads.ts";
import { SparseFile } from "./sparse-file.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-reads-"));
after(() => rmSync(folder, { recursive: true }));
const mebibyte = 2 ** 20;

/** Each 4 bytes are their number, so nothing that is lost, twice or overwritten goes unseen. */
const image = Buffer.from(Uint32Array.from({ length: 5 * mebibyte }, (_, i) => i + 1).buffer);

async function source(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const clock = { ...systemClock, after: (_: number, run: () => void) => systemClock.after(0, run) };

async function fetched(port: number, name: string, isKept = false) {
  const file = join(folder, name);
  await fetchFile({
    ...{ url: `http://127.0.0.1:${port}/`, headers: () => ({}), file, bytesMax: 2 ** 30 },
    ...{ told: () => {}, clock, isKept: () => isKept },
  });
  return readFileSync(file);
}

test("a body is what was sent, by its length and in chunks, all at once and in small pieces", async () => {
  const lengths: object[] = [{ "content-length": image.length }, {}];
  for (const [i, headers] of lengths.entries()) {
    for (const pieceBytes of [image.length, 100_003, 5000]) {
      const port = await source(async (_, response) => {
        response.writeHead(200, headers as any);
        for (let at = 0; at < image.length; at += pieceBytes) {
          const piece = image.subarray(at, at + pieceBytes);
          if (!response.write(piece)) await once(response, "drain");
        }
        response.end();
      });
      for (const isKept of [false, true]) {
        const name = `${i} by ${pieceBytes}, past the page cache: ${isKept}`;
        assert.ok((await fetched(port, "whole", isKept)).equals(image), name);
      }
    }
  }
});

test("a body that is kept as it came is what was sent, however often it breaks off", async () => {
  let tries = 0;
  const port = await source(({ headers }, response) => {
    const start = Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      etag: '"one"',
      "content-length": image.length - start,
      ...(start > 0 && { "content-range": `bytes ${start}-${image.length - 1}/${image.length}` }),
    });
    const end = start + 5_000_003;
    tries++;
    if (end >= image.length) return response.end(image.subarray(start));
    response.write(image.subarray(start, end), () => response.destroy());
  });
  assert.ok((await fetched(port, "broken off", true)).equals(image));
  assert.ok(tries > 2);
});

test("what does not lie in memory as in the file, or is small, is written all the same", async () => {
  const file = join(folder, "askew");
  const out = new SparseFile(file, { isDirect: true });
  const pieces = [image.subarray(1, 9_000_002), Buffer.alloc(50_000), image.subarray(7, 70_000)];
  for (const piece of pieces) out.write(piece, () => {});
  await out.close();
  assert.ok(readFileSync(file).equals(Buffer.concat(pieces)));
});

test("a body of nothing and one that ends with its head's read are bodies", async () => {
  for (const text of ["", "short"]) {
    const port = await source((_, response) => {
      response.writeHead(200, { "content-length": text.length }).end(text);
    });
    assert.equal(String(await fetched(port, "short")), text);
  }
});

test("hints before the head change nothing", async () => {
  const port = await source((_, response) => {
    response.writeEarlyHints({ link: "</a>; rel=preload" });
    response.writeHead(200, { "content-length": image.length }).end(image);
  });
  assert.ok((await fetched(port, "hinted")).equals(image));
});

test("whoever is slow to write is not overrun, and holds up the source", async () => {
  let sent = 0;
  const port = await source((_, response) => {
    response.writeHead(200, { "content-length": 16 * image.length });
    const send = () => {
      while (sent < 16) {
        sent++;
        if (!response.write(image)) return;
      }
    };
    response.on("drain", send);
    send();
  });
  let reads: LargeReads;
  const asked = request({
    ...{ port, host: "127.0.0.1" },
    createConnection: (target) => (reads = new LargeReads(target, { connect, idleMsMax: 60_000 })),
  });
  let isDetached = false;
  asked.on("response", () => (isDetached = reads.detach()));
  asked.end();
  await once(asked, "response");
  assert.ok(isDetached);
  const held: [Buffer, () => void][] = [];
  let got = 0;
  const check = (piece: Buffer) => {
    for (const byte of [0, piece.length - 1]) {
      assert.equal(piece[byte], image[(got + byte) % image.length]);
    }
    got += piece.length;
  };
  const take = (piece: Buffer, letGo: () => void) => void held.push([piece, letGo]);
  const done = reads!.flow({ bytes: 16 * image.length, at: 0, take });
  let isOver = false;
  const over = done.then(() => (isOver = true));
  let heldMax = 0;
  while (!isOver || held.length > 0) {
    const before = held.length;
    await new Promise((resolve) => setImmediate(resolve));
    // Nothing comes any more while all memory is held.
    if (held.length > before) continue;
    heldMax = Math.max(
      heldMax,
      held.reduce((sum, [piece]) => sum + piece.length, 0),
    );
    const [piece, letGo] = held.shift() ?? [];
    if (!piece) continue;
    check(piece);
    letGo!();
  }
  await over;
  assert.equal(got, 16 * image.length);
  assert.ok(heldMax <= 20 * mebibyte, `${heldMax} bytes were held`);
});

test("zeros between pieces take no room", async () => {
  const file = join(folder, "holes");
  const out = new SparseFile(file);
  const pieces = [Buffer.alloc(6000, 1), Buffer.alloc(300_000), Buffer.alloc(5000, 2)];
  for (const piece of pieces) out.write(piece, () => {});
  await out.close();
  assert.ok(readFileSync(file).equals(Buffer.concat(pieces)));
  assert.ok(statSync(file).blocks * 512 <= 24_576);
});
