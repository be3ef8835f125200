import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { systemClock } from "../../lib/clock.ts";
import { fetchFile } from "./fetch.ts";
import { planFill } from "./plan.ts";
import { settleImage } from "./settle-image.ts";
import { signS3 } from "./sign-s3.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-import-"));
after(() => rmSync(folder, { recursive: true }));
const told = () => {};
const clock = { ...systemClock, after: (_: number, run: () => void) => systemClock.after(0, run) };
const image = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251));

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function source(answer: Answer) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/disk`;
}

const fetched = (url: string, name: string, bytesMax = 1e6) => {
  const file = join(folder, name);
  return fetchFile({ url, headers: () => ({}), file, bytesMax, told, clock }).then(() =>
    readFileSync(file),
  );
};

/** Breaks off after a while, each time, and goes on where it is asked to. */
const flaky =
  (tag: (attempt: number) => string): Answer =>
  (request, response) => {
    const attempt = Number((request.socket.server as any).attempts++ || 0);
    const range = /bytes=(\d+)-/.exec(request.headers.range ?? "");
    const same = request.headers["if-range"] === tag(attempt);
    const start = range && same ? Number(range[1]) : 0;
    response.writeHead(start > 0 ? 206 : 200, {
      etag: tag(attempt),
      "content-length": image.length - start,
      ...(start > 0 && { "content-range": `bytes ${start}-${image.length - 1}/${image.length}` }),
    });
    const part = image.subarray(start, start + 40_000);
    response.write(part, () =>
      start + part.length < image.length ? response.destroy() : response.end(),
    );
  };

test("a download that breaks off goes on where it ended", async () => {
  const ranges: (string | undefined)[] = [];
  const url = await source((request, response) => {
    ranges.push(request.headers.range);
    flaky(() => '"one"')(request, response);
  });
  assert.deepEqual(await fetched(url, "resumed"), image);
  assert.ok(ranges.length > 1 && ranges.at(-1)!.startsWith("bytes="), String(ranges));
});

test("a source that was changed meanwhile is taken from its beginning", async () => {
  let asked = 0;
  const url = await source((request, response) => {
    const tag = `"${asked++}"`;
    if (asked === 1) {
      response.writeHead(200, { etag: tag, "content-length": 5 });
      return response.write("old", () => response.destroy());
    }
    response.writeHead(200, { etag: tag, "content-length": 3 });
    return response.end(request.headers["if-range"] === tag ? "bad" : "new");
  });
  assert.equal(String(await fetched(url, "changed")), "new");
});

test("a source that is larger than the claim, not there or elsewhere is refused", async () => {
  const large = await source((_, response) => response.end(image));
  await assert.rejects(
    fetched(large, "large", 1000),
    /has 100000 bytes, more than the 1000 bytes that an image/,
  );
  const endless = await source((_, response) => {
    response.write(image);
    response.end(image);
  });
  await assert.rejects(
    fetched(endless, "endless", 150_000),
    /has more than the 150000 bytes that an image/,
  );
  const none = await source((_, response) => response.writeHead(404).end());
  await assert.rejects(fetched(none, "none"), /status 404/);
  const local = await source((_, response) =>
    response.writeHead(302, { location: "file:///etc/shadow" }).end(),
  );
  await assert.rejects(fetched(local, "local"), /leads to file:/);
  const nowhere = await source((_, response) =>
    response.writeHead(302, { location: "http://[" }).end(),
  );
  await assert.rejects(fetched(nowhere, "nowhere"), /leads to http:\/\/\[, which is no URL/);
});

test("secrets are not told to whom a source leads", async () => {
  let heard: string | undefined = "nothing";
  const other = await source(({ headers }, response) => {
    heard = headers.authorization;
    response.end("x");
  });
  const url = await source((_, response) => response.writeHead(302, { location: other }).end());
  const headers = () => ({ authorization: "Basic c2VjcmV0" });
  await fetchFile({ url, headers, file: join(folder, "led"), bytesMax: 10, told, clock });
  assert.equal(heard, undefined);
});

function settle(bytes: Buffer, options: { checksum?: string; room?: number } = {}) {
  const part = join(folder, "part");
  const target = join(folder, "disk.img");
  rmSync(target, { force: true });
  writeFileSync(part, bytes);
  const { checksum, room = 200_000 } = options;
  return settleImage({
    part,
    target,
    block: false,
    bytes: room,
    told,
    ...(checksum && { checksum }),
  }).then(() => readFileSync(target));
}

test("an image is unpacked, checked, and as large as its claim", async () => {
  const padded = Buffer.concat([image, Buffer.alloc(100_000)]);
  for (const packed of [image, gzipSync(image), zstdCompressSync(image)]) {
    const checksum = `sha256:${createHash("sha256").update(packed).digest("hex")}`;
    assert.deepEqual(await settle(packed, { checksum }), padded);
    assert.equal(existsSync(join(folder, "part")), false);
  }
});

test("an image that is not what it says, or says too much, is refused", async () => {
  const qcow = (change: (header: Buffer) => void) => {
    const header = Buffer.alloc(200);
    header.write("QFI\xfb", "latin1");
    header.writeUInt32BE(3, 4);
    header.writeUInt32BE(16, 20);
    header.writeBigUInt64BE(1000n, 24);
    change(header);
    return header;
  };
  const cases: [RegExp, Buffer, object?][] = [
    [/the checksum is md5:/, image, { checksum: `md5:${"0".repeat(32)}` }],
    [/virtual size of 100000 bytes is larger/, image, { room: 1000 }],
    [/unpacked, the image is larger than the claim/, gzipSync(Buffer.alloc(10_000_000))],
    [/does not unpack/, Buffer.concat([gzipSync(image).subarray(0, 40), Buffer.alloc(40, 255)])],
    [/is empty/, Buffer.alloc(0)],
    [/has a backing file/, qcow((header) => header.writeBigUInt64BE(100n, 8))],
    [/has its data in another file/, qcow((header) => header.writeBigUInt64BE(4n, 72))],
    [
      /virtual size of 4294967296 bytes is larger/,
      qcow((header) => header.writeBigUInt64BE(2n ** 32n, 24)),
    ],
    [/is a VMDK/, Buffer.concat([Buffer.from("KDMV"), Buffer.alloc(600)])],
  ];
  for (const [why, bytes, options] of cases) await assert.rejects(settle(bytes, options), why);
  assert.throws(() => statSync(join(folder, "disk.img")), /ENOENT/);
});

test("a request for an object in S3 is signed as AWS' own example is", () => {
  const now = Date.parse("2013-05-24T00:00:00Z");
  const keys = {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  };
  const { authorization, ...headers } = signS3(
    "https://examplebucket.s3.amazonaws.com/test.txt",
    keys,
    now,
  );
  assert.deepEqual(headers, {
    host: "examplebucket.s3.amazonaws.com",
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "x-amz-date": "20130524T000000Z",
  });
  assert.match(
    authorization,
    /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/20130524\/us-east-1\/s3\/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
  );
});

test("a DataVolume's phase follows from its claim and its pod", () => {
  const now = Date.parse("2030-01-01T00:00:00Z");
  const meta = (name: string) => ({
    name,
    uid: name,
    namespace: "shop",
    resourceVersion: "1",
    creationTimestamp: "",
  });
  const dv = (status?: object): any => ({ metadata: meta("disk"), spec: {}, status });
  const claim: any = { metadata: meta("disk"), spec: {}, status: { phase: "Bound" } };
  const pod = (phase: string, exitCode?: number): any => ({
    metadata: meta("importer-disk"),
    status: {
      phase,
      containerStatuses: [
        {
          state: {
            ...(exitCode !== undefined && { terminated: { exitCode, message: "no luck" } }),
          },
        },
      ],
    },
  });
  const ready = pod("Running");
  ready.status.conditions = [{ type: "Ready", status: "True" }];
  const seen = { dv: dv(), kind: "http", claim, pod: undefined, progress: undefined, now };
  const cases: [string, object, string, string | undefined, boolean, boolean][] = [
    ["no claim", { claim: undefined }, "Pending", undefined, false, false],
    ["no pod", {}, "Pending", undefined, true, false],
    ["waiting", { waitsFor: "x" }, "Pending", undefined, false, false],
    ["scheduled", { pod: pod("Pending") }, "ImportScheduled", "N/A", false, false],
    [
      "running",
      { pod: pod("Running"), progress: { doneBytes: 1, totalBytes: 4 } },
      "ImportInProgress",
      "25.00%",
      false,
      false,
    ],
    ["waiting for an upload", { kind: "upload", pod: ready }, "UploadReady", "N/A", false, false],
    ["copying", { kind: "pvc", pod: pod("Running") }, "CloneInProgress", "N/A", false, false],
    ["done", { pod: pod("Succeeded", 0) }, "Succeeded", "100.0%", false, true],
    [
      "done, by its own word",
      { pod: pod("Running"), progress: { phase: "done", doneBytes: 4, totalBytes: 4 } },
      ...(["Succeeded", "100.0%", false, true] as const),
    ],
    ["failed", { pod: pod("Failed", 1) }, "ImportInProgress", undefined, false, true],
    ["hopeless", { pod: pod("Failed", 3) }, "Failed", undefined, false, true],
    ["done before", { dv: dv({ phase: "Succeeded" }) }, "Succeeded", undefined, false, false],
  ];
  for (const [name, change, phase, progress, creates, deletes] of cases) {
    const plan = planFill({ ...seen, ...change });
    assert.deepEqual(
      [plan.status.phase, plan.status.progress, plan.createPod, plan.deletePod],
      [phase, progress, creates, deletes],
      name,
    );
  }
  const waits = pod("Pending");
  waits.status.containerStatuses = [{ state: { waiting: { reason: "X", message: "no image" } } }];
  const [ran] = planFill({ ...seen, pod: waits }).status.conditions;
  assert.deepEqual([ran.reason, ran.message], ["X", "no image"]);
  const failed = planFill({ ...seen, pod: pod("Failed", 1) });
  assert.deepEqual([failed.status.restartCount, failed.failure], [1, "no luck"]);
  const again = { ...seen, dv: dv(failed.status) };
  assert.equal(planFill(again).createPod, false);
  assert.equal(planFill({ ...again, now: now + 6000 }).createPod, true);
});
