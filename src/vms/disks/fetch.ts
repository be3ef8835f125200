// Downloads to a file, on from where it ended before. A source that ends early or changed meanwhile is told.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request as plainRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as tlsRequest } from "node:https";
import { finished } from "node:stream/promises";
import { rootCertificates } from "node:tls";
import type { Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import { badRequest } from "../../lib/status-error.ts";
import { SparseFile } from "./sparse-file.ts";

export interface FetchOptions {
  url: string;
  /** Of one try: signatures do not last. */
  headers: () => Record<string, string>;
  ca?: string;
  file: string;
  /** More is refused. */
  bytesMax: number;
  told: (doneBytes: number, totalBytes?: number) => void;
  clock: Clock;
}

const redirectsMax = 5;
const attemptsMax = 8;
const waitMsFirst = 500;
const idleMsMax = 60_000;

function get(url: string, headers: Record<string, string>, ca?: string): Promise<IncomingMessage> {
  const ask = url.startsWith("https:") ? tlsRequest : plainRequest;
  const trust = ca ? { ca: [...rootCertificates, ca] } : {};
  return new Promise((resolve, reject) => {
    const asked = ask(url, { headers, timeout: idleMsMax, ...trust }, resolve);
    asked.on("timeout", () => asked.destroy(new Error("the source says nothing")));
    asked.on("error", reject);
    asked.end();
  });
}

/** Credentials stay with the host that they are for. */
async function follow({ url, headers, ca }: FetchOptions, range: Record<string, string>) {
  const given = headers();
  let at = url;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const own = new URL(at).host === new URL(url).host ? given : {};
    const answer = await get(at, { ...own, ...range }, ca);
    const { statusCode = 0, headers: said } = answer;
    if (statusCode < 300 || statusCode >= 400 || !said.location) return answer;
    answer.resume();
    const next = new URL(said.location, at);
    if (!/^https?:$/.test(next.protocol)) throw badRequest(`the source leads to ${next.protocol}`);
    at = next.href;
  }
  throw badRequest(`the source leads elsewhere more than ${redirectsMax} times`);
}

const sizeOf = (file: string) => (existsSync(file) ? statSync(file).size : 0);
const readMark = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : "");

/** The whole length, when the answer says it. */
function totalOf({ statusCode, headers }: IncomingMessage, start: number): number | undefined {
  const range = /\/(\d+)$/.exec(headers["content-range"] ?? "");
  if (range) return Number(range[1]);
  const length = headers["content-length"];
  return length === undefined ? undefined : Number(length) + (statusCode === 206 ? start : 0);
}

/**
 * Writes what arrives at once: a stream that is ended by a broken connection would drop what it still holds, and a
 * source that always breaks off early would never be read. Resolves with the length reached.
 */
async function receive(
  answer: IncomingMessage,
  {
    file,
    bytesMax,
    told,
    start,
    total,
  }: FetchOptions & { start: number; total?: number | undefined },
): Promise<number> {
  const out = new SparseFile(file, start);
  try {
    answer.on("data", (chunk: Buffer) => {
      if (answer.destroyed) return;
      try {
        if (out.bytes + chunk.length > bytesMax) {
          throw badRequest(`the source has more than ${bytesMax} bytes`);
        }
        out.write(chunk);
        told(out.bytes, total);
      } catch (error) {
        answer.destroy(error as Error);
      }
    });
    await finished(answer);
    return out.bytes;
  } finally {
    out.close();
  }
}

async function once(options: FetchOptions) {
  const { file, bytesMax } = options;
  const marker = `${file}.mark`;
  const mark = readMark(marker);
  const have = mark ? sizeOf(file) : 0;
  const range = have > 0 ? { range: `bytes=${have}-`, "if-range": mark } : {};
  const answer = await follow(options, range as Record<string, string>);
  const { statusCode = 0, headers } = answer;
  if (statusCode === 416 && have > 0) {
    rmSync(marker, { force: true });
    throw new Error("the source is shorter than what came of it before");
  }
  if (statusCode !== 200 && statusCode !== 206) {
    answer.resume();
    const why = `the source answers with status ${statusCode}`;
    throw statusCode >= 500 || statusCode === 429 ? new Error(why) : badRequest(why);
  }
  const start = statusCode === 206 ? have : 0;
  const total = totalOf(answer, start);
  if (total !== undefined && total > bytesMax) {
    answer.destroy();
    throw badRequest(`the source has ${total} bytes, and the claim has room for ${bytesMax}`);
  }
  const validator = headers.etag?.startsWith("W/") ? undefined : headers.etag;
  writeFileSync(marker, validator ?? headers["last-modified"] ?? "");
  const done = await receive(answer, { ...options, start, total });
  if (total !== undefined && done !== total) {
    throw new Error(`the source ended after ${done} of ${total} bytes`);
  }
  rmSync(marker, { force: true });
}

/** A full disk or a refusal is not helped by trying again. */
const isHopeless = (error: unknown) =>
  (error as { reason?: string }).reason === "BadRequest" ||
  (error as NodeJS.ErrnoException).code === "ENOSPC";

/** Tries that bring nothing more are counted, not those that get further. */
export async function fetchFile(options: FetchOptions) {
  let reached = 0;
  for (let failures = 1; ; failures++) {
    try {
      return await once(options);
    } catch (error) {
      const have = sizeOf(options.file);
      if (have > reached) failures = 1;
      reached = Math.max(reached, have);
      if (isHopeless(error) || failures === attemptsMax) throw error;
      await sleep(options.clock, waitMsFirst * 2 ** (failures - 1));
    }
  }
}
