import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../lib/clock.ts";
import { fetchFile } from "./fetch.ts";
import { readMark, writeMark } from "./resume-mark.ts";
import { SparseFile } from "./sparse-file.ts";
import { WritesInFlight } from "./writes-in-flight.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-sparse-"));
after(() => rmSync(folder, { recursive: true }));
const mebibyte = 2 ** 20;

/** Each 4 bytes are their number, so nothing that is lost, twice or overwritten goes unseen. */
const numbers = (mebibytes: number) =>
  Buffer.from(Uint32Array.from({ length: (mebibytes * mebibyte) / 4 }, (_, i) => i + 1).buffer);

async function source(image: Buffer, asked: (range?: string) => void = () => {}) {
  const server = createServer(({ headers }, response) => {
    asked(headers.range);
    const start = Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      etag: '"one"',
      "content-length": image.length - start,
      ...(start > 0 && { "content-range": `bytes ${start}-${image.length - 1}/${image.length}` }),
    });
    response.end(image.subarray(start));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const fetched = async (url: string, file: string) => {
  await fetchFile({
    ...{ url, headers: () => ({}), file, bytesMax: 2 ** 30, told: () => {} },
    ...{ clock: systemClock, isKept: () => true },
  });
  return readFileSync(file);
};

test("zeros behind much that is none take no room, nor do those at the end", async () => {
  const [first, second] = [numbers(24), numbers(12)];
  const image = Buffer.concat([
    ...[first, Buffer.alloc(4096), second, Buffer.alloc(30 * mebibyte)],
    ...[second, Buffer.alloc(30 * mebibyte)],
  ]);
  const file = join(folder, "dense and not");
  assert.ok((await fetched(await source(image), file)).equals(image));
  assert.ok(statSync(file).blocks * 512 <= 49 * mebibyte, `${statSync(file).blocks} blocks`);
});

test("what a killed program left behind its mark is fetched again", async () => {
  const image = numbers(20);
  const file = join(folder, "killed");
  const kept = 7 * mebibyte + 4;
  // Writes end in any order, and room is taken ahead: what is behind the mark may be anything.
  const left = Buffer.concat([image.subarray(0, kept), Buffer.alloc(image.length - kept, 0xaa)]);
  writeFileSync(file, left);
  writeMark(file, { validator: '"one"', bytes: kept });
  const ranges: (string | undefined)[] = [];
  assert.ok(
    (await fetched(await source(image, (range) => ranges.push(range)), file)).equals(image),
  );
  assert.deepEqual(ranges, [`bytes=${kept}-`]);
  assert.equal(readMark(file), undefined, "there is nothing to go on with");
});

test("a mark that is not of this file, or says more than there is, is not believed", () => {
  const file = join(folder, "marked");
  writeMark(file, { validator: '"one"', bytes: 100 });
  assert.equal(readMark(file), undefined);
  writeFileSync(file, "short");
  assert.deepEqual(readMark(file), { validator: '"one"', bytes: 5 });
  writeMark(file, { validator: "", bytes: 5 });
  assert.equal(readMark(file), undefined, "nothing tells whether the source is the same");
  writeFileSync(`${file}.mark`, 'another start of the machine\n"one"\n5');
  assert.equal(readMark(file), undefined);
});

test("after a failure the file ends where the first of what was not written begins", async () => {
  const file = join(folder, "failed");
  writeFileSync(file, "");
  const writes = new WritesInFlight(file, false);
  const told: (string | undefined)[] = [];
  const piece = (at: number) => ({ at, bytes: Buffer.alloc(1000, 1), isDirect: false });
  const tell = (error?: Error) => void told.push(error?.message);
  writes.add([piece(0)], tell);
  const pause = () => Promise.reject(new Error("the disk is gone"));
  writes.add([piece(1000), { at: 2000, pause }, piece(2000)], tell);
  await assert.rejects(writes.close(3000), /the disk is gone/);
  assert.deepEqual(told, [undefined, "the disk is gone"]);
  assert.equal(writes.keptBefore(3000), 2000);
  assert.equal(statSync(file).size, 2000);
});

test("of what is on its way, what is kept ends where the first begins", async () => {
  const out = new SparseFile(join(folder, "on its way"));
  const isWritten = new Promise<void>((resolve) =>
    out.write(Buffer.alloc(5000, 1), () => resolve()),
  );
  assert.deepEqual([out.bytes, out.keptBytes], [5000, 0]);
  await isWritten;
  assert.equal(out.keptBytes, 5000);
  await out.close();
});
