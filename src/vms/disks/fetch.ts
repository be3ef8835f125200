// Downloads to a file, on from where it ended before. A source that ends early or changed meanwhile is told.
import { request as plainRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect as plainConnect, isIP } from "node:net";
import { finished } from "node:stream/promises";
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import { badRequest } from "../../lib/status-error.ts";
import { LargeReads } from "./large-reads.ts";
import type { Connect, Take } from "./large-reads.ts";
import { readMark, removeMark, writeMark } from "./resume-mark.ts";
import { headerOf } from "./settle-image.ts";
import { SparseFile } from "./sparse-file.ts";

export interface FetchOptions {
  url: string;
  /** Of one try: signatures do not last. */
  headers: () => Record<string, string>;
  ca?: string;
  file: string;
  /** More is refused. */
  bytesMax: number;
  /** By what the file begins with: whether it is kept as it came, and not read again. */
  isKept?: (header: Buffer) => boolean;
  told: (doneBytes: number, totalBytes?: number) => void;
  clock: Clock;
}

const redirectsMax = 5;
const attemptsMax = 8;
const waitMsFirst = 500;
const idleMsMax = 60_000;
const waitingBytesMax = 4 * 2 ** 20;
/** So much comes twice when the program is killed. */
const markedBytesStep = 64 * 2 ** 20;

interface Answer {
  answer: IncomingMessage;
  /** Where its length is known: the body, which the answer then does not have. */
  body?: LargeReads;
}

const lengthOf = ({ headers }: IncomingMessage): number | undefined =>
  headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);

/** What only some sources need is not loaded for the others. */
async function secured(hostname: string, ca?: string) {
  const [{ request }, tls] = await Promise.all([import("node:https"), import("node:tls")]);
  const trust = {
    servername: isIP(hostname) ? "" : hostname,
    ...(ca && { ca: [...tls.rootCertificates, ca] }),
  };
  const connect: Connect = (options) => tls.connect({ ...options, ...trust } as ConnectionOptions);
  return { request, connect };
}

async function get(url: string, headers: Record<string, string>, ca?: string): Promise<Answer> {
  const { protocol, hostname } = new URL(url);
  const plain = { request: plainRequest, connect: plainConnect as Connect };
  const { request, connect } = protocol === "https:" ? await secured(hostname, ca) : plain;
  return new Promise((resolve, reject) => {
    let reads: LargeReads;
    const createConnection = (target: object) =>
      (reads = new LargeReads(target, { connect, idleMsMax }));
    const asked = request(url, { headers, createConnection }, (answer) => {
      const isBody = [200, 206].includes(answer.statusCode ?? 0) && lengthOf(answer) !== undefined;
      resolve({ answer, ...(isBody && reads.detach() && { body: reads }) });
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** As a refusal ends. */
export const allowed = (bytesMax: number) =>
  `the ${bytesMax} bytes that an image for this claim may have: ask for a larger claim`;

/** Credentials stay with the host that they are for. */
async function follow({ url, headers, ca }: FetchOptions, range: Record<string, string>) {
  const given = headers();
  let at = url;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const own = new URL(at).host === new URL(url).host ? given : {};
    const got = await get(at, { ...own, ...range }, ca);
    const { answer } = got;
    const { statusCode = 0, headers: said } = answer;
    if (statusCode < 300 || statusCode >= 400 || !said.location) return got;
    answer.resume();
    const next = URL.parse(said.location, at);
    if (!next) throw badRequest(`the source leads to ${said.location}, which is no URL`);
    if (!/^https?:$/.test(next.protocol)) throw badRequest(`the source leads to ${next.protocol}`);
    at = next.href;
  }
  throw badRequest(`the source leads elsewhere more than ${redirectsMax} times`);
}

/** The whole length, when the answer says it. */
function totalOf(answer: IncomingMessage, start: number): number | undefined {
  const { statusCode, headers } = answer;
  const range = /\/(\d+)$/.exec(headers["content-range"] ?? "");
  if (range) return Number(range[1]);
  const length = lengthOf(answer);
  return length === undefined ? undefined : length + (statusCode === 206 ? start : 0);
}

/** A body whose end only its own end tells. */
async function flow(answer: IncomingMessage, take: Take) {
  let waiting = 0;
  answer.on("data", (chunk: Buffer) => {
    waiting += chunk.length;
    if (waiting > waitingBytesMax) answer.pause();
    take(chunk, () => {
      waiting -= chunk.length;
      if (waiting < waitingBytesMax) answer.resume();
    });
  });
  await finished(answer);
}

interface Reception extends FetchOptions, Answer {
  validator: string;
  start: number;
  total?: number | undefined;
}

/** What arrived is written, however a connection ends: a source that always breaks off early is read too. */
async function receive(reception: Reception): Promise<number> {
  const { answer, body, bytesMax, told, file, start, total, validator } = reception;
  const from = body ?? answer;
  let out: SparseFile | undefined;
  let marked = start;
  const mark = (bytes: number) => writeMark(file, { validator, bytes: (marked = bytes) });
  const take: Take = (piece, letGo) => {
    const writer = (out ??= open(reception, piece));
    if (writer.bytes + piece.length > bytesMax) {
      from.destroy(badRequest(`the source has more than ${allowed(bytesMax)}`));
      return;
    }
    writer.write(piece, (error) => {
      letGo();
      if (error) from.destroy(error);
    });
    if (writer.bytes - marked >= markedBytesStep) mark(writer.keptBytes);
    told(writer.bytes, total);
  };
  try {
    const bytes = lengthOf(answer)!;
    await (body ? body.flow({ bytes, at: start, take }) : flow(answer, take));
  } finally {
    const writer = (out ??= open(reception, Buffer.alloc(0)));
    await writer.close().finally(() => mark(writer.keptBytes));
  }
  return out.bytes;
}

/** What nobody reads again here need not go through the page cache, which would push out what others read. */
function open({ body, file, start, total, isKept }: Reception, first: Buffer): SparseFile {
  const isPast = body && isKept?.(start > 0 ? headerOf(file) : first);
  return new SparseFile(file, { start, isDirect: isPast === true, bytes: total });
}

async function once(options: FetchOptions) {
  const { file, bytesMax } = options;
  const mark = readMark(file);
  const have = mark?.bytes ?? 0;
  const got = await follow(
    options,
    mark ? { range: `bytes=${have}-`, "if-range": mark.validator } : {},
  );
  const { answer } = got;
  const { statusCode = 0, headers } = answer;
  if (statusCode === 416 && have > 0) {
    removeMark(file);
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
    (got.body ?? answer).destroy();
    throw badRequest(`the source has ${total} bytes, more than ${allowed(bytesMax)}`);
  }
  const strong = headers.etag?.startsWith("W/") ? undefined : headers.etag;
  const validator = strong ?? headers["last-modified"] ?? "";
  if (start === 0) removeMark(file);
  const done = await receive({ ...options, ...got, validator, start, total });
  if (total !== undefined && done !== total) {
    throw new Error(`the source ended after ${done} of ${total} bytes`);
  }
  removeMark(file);
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
      const have = readMark(options.file)?.bytes ?? 0;
      if (have > reached) failures = 1;
      reached = Math.max(reached, have);
      if (isHopeless(error) || failures === attemptsMax) throw error;
      await sleep(options.clock, waitMsFirst * 2 ** (failures - 1));
    }
  }
}
