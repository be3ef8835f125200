// Writes an answer: whole or as a stream, compressed when it is long enough to be worth it and the caller is
// not on this machine. Watches and logs are never compressed: their readers want every line at once.
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { ApiResponse } from "../request.ts";
import { gzipBytesMin } from "./limits.ts";
import type { Sink } from "./sinks.ts";

/** What of the request shapes the writing of its answer. */
export interface AskedForm {
  pretty: boolean;
  gzip: boolean;
  /** Only the head of the answer. */
  head: boolean;
}

type Headers = Record<string, string | string[]>;
type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The bytes of a small answer. */
function bytesOf(response: ApiResponse, pretty: boolean): Uint8Array | undefined {
  if (pretty) {
    const object = response.object ?? JSON.parse(Buffer.from(response.bytes!).toString());
    return Buffer.from(`${JSON.stringify(object, null, 2)}\n`);
  }
  if (response.bytes) return response.bytes;
  return response.object === undefined ? undefined : Buffer.from(JSON.stringify(response.object));
}

const warningHeader = (text: string) =>
  `299 - "${text.replaceAll(/["\\]/g, "\\$&").replaceAll(/[\r\n]/g, " ")}"`;

function headersOf(response: ApiResponse): Headers {
  if (response.passedOn) return { ...response.headers };
  const headers: Headers = {
    "content-type": "application/json",
    "cache-control": "no-cache, private",
    ...response.headers,
  };
  if (response.warnings && response.warnings.length > 0) {
    headers["warning"] = [...new Set(response.warnings)].map(warningHeader);
  }
  return headers;
}

/** Told as plain JSON, which clients of watches have always expected. */
const jsonWatch = "application/json;stream=watch";

const documents = /^application\/(?:json|yaml|vnd\.kubernetes\.protobuf|com\.github\.)/;

/** Documents, not streams that somebody reads line by line. */
function compressible({ passedOn }: ApiResponse, headers: Headers): boolean {
  const type = String(headers["content-type"]);
  return !passedOn && documents.test(type) && !type.includes("stream=watch");
}

async function writeStream(sink: Sink, chunks: Chunks, written?: ApiResponse["written"]) {
  for await (const chunk of chunks) {
    if (sink.closed) return;
    const drained = sink.write(chunk, written && (() => written(chunk)));
    if (drained) await drained;
  }
  sink.end();
}

function writeGzip(sink: Sink, code: number, headers: Headers, source: Chunks) {
  headers["content-encoding"] = "gzip";
  headers["vary"] = "Accept-Encoding";
  sink.head(code, headers);
  const gzip = createGzip({ level: 1 });
  pipeline(Readable.from(source), gzip, () => {});
  return writeStream(sink, gzip);
}

/** As much of the stream as decides whether it is compressed, and all of it again. */
async function peek(source: AsyncIterable<Uint8Array>): Promise<{ long: boolean; all: Chunks }> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= gzipBytesMin) {
    const { done, value } = await iterator.next();
    if (done) return { long: false, all: first };
    first.push(value);
    bytes += value.length;
  }
  const all = async function* () {
    yield* first;
    yield* { [Symbol.asyncIterator]: () => iterator };
  };
  return { long: true, all: all() };
}

async function gather(chunks: AsyncIterable<Uint8Array>) {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function writeResponse(sink: Sink, response: ApiResponse, asked: AskedForm) {
  const headers = headersOf(response);
  const { code } = response;
  const pretty = asked.pretty && headers["content-type"] === "application/json";
  const gzip = asked.gzip && compressible(response, headers);
  if (headers["content-type"] === jsonWatch) headers["content-type"] = "application/json";
  if (asked.head || code === 304) {
    sink.head(code, headers);
    return sink.end();
  }
  if (response.stream && (response.passedOn || !pretty)) {
    if (!gzip) {
      sink.head(code, headers);
      return writeStream(sink, response.stream, response.written);
    }
    const { long, all } = await peek(response.stream);
    if (long) return writeGzip(sink, code, headers, all);
    sink.head(code, headers);
    return writeStream(sink, all);
  }
  const whole = response.stream ? { ...response, bytes: await gather(response.stream) } : response;
  const bytes = bytesOf(whole, pretty);
  if (bytes && bytes.length > gzipBytesMin && gzip) return writeGzip(sink, code, headers, [bytes]);
  if (bytes) headers["content-length"] = String(bytes.length);
  sink.head(code, headers);
  sink.end(bytes);
}
