import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { ApiResponse } from "../request.ts";
import { gzipBytesMin } from "./limits.ts";
import { writeResponse } from "./write-response.ts";

async function written(response: ApiResponse, gzip = true) {
  const chunks: Uint8Array[] = [];
  let headers: Record<string, string | string[]> = {};
  const sink = {
    head: (_code: number, given: typeof headers) => (headers = given),
    write: (chunk: Uint8Array) => void chunks.push(chunk),
    end: (chunk?: Uint8Array) => chunk && chunks.push(chunk),
    discardRest: () => {},
    destroy: () => {},
    onClose: () => {},
    closed: false,
  };
  await writeResponse(sink as any, response, { pretty: false, gzip, head: false });
  return { headers, bytes: Buffer.concat(chunks), chunks: chunks.length };
}

async function* streamOf(bytes: number, pieces = 16) {
  for (let i = 0; i < pieces; i++) yield Buffer.alloc(bytes / pieces, "x");
}

const long = gzipBytesMin * 2;

test("long documents are compressed, whole or streamed, for those who take it", async () => {
  const answers: (() => ApiResponse)[] = [
    () => ({ code: 200, bytes: Buffer.alloc(long, "x") }),
    () => ({ code: 200, stream: streamOf(long) }),
    () => ({
      code: 200,
      headers: { "content-type": "application/vnd.kubernetes.protobuf" },
      stream: streamOf(long),
    }),
  ];
  for (const answer of answers) {
    const { headers, bytes } = await written(answer());
    assert.deepEqual([headers["content-encoding"], headers["vary"]], ["gzip", "Accept-Encoding"]);
    assert.deepEqual(gunzipSync(bytes), Buffer.alloc(long, "x"));
    assert.equal((await written(answer(), false)).headers["content-encoding"], undefined);
  }
});

test("short documents, watches, logs and what is passed on are not", async () => {
  const answers: ApiResponse[] = [
    { code: 200, bytes: Buffer.alloc(1000, "x") },
    { code: 200, stream: streamOf(1000) },
    { code: 200, headers: { "content-type": "text/plain" }, stream: streamOf(long) },
    {
      code: 200,
      headers: { "content-type": "application/json;stream=watch" },
      stream: streamOf(long),
    },
    {
      code: 200,
      passedOn: true,
      headers: { "content-type": "application/json" },
      stream: streamOf(long),
    },
  ];
  for (const answer of answers) {
    const { headers, bytes } = await written(answer);
    assert.equal(headers["content-encoding"], undefined);
    assert.equal(bytes[0], "x".charCodeAt(0));
  }
});
