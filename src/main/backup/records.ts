// What a backup is made of: records, each a line of JSON and as many bytes as that line says. Written and read
// as streams, so a large site needs no large memory.
import { createHash } from "node:crypto";

export type BackupRecord =
  | { file: string; body: Uint8Array }
  | { key: string; revision: number; body: Uint8Array }
  /** Of the whole store; the first record. */
  | { revision: number }
  /** The last record: without it a backup is cut short. */
  | { objects: number; digest?: string };

const lineBytesMax = 16 * 1024;
/** Larger than any object or file that a site has. */
export const bodyBytesMax = 64 * 2 ** 20;
const newline = 10;

/** A backup that cannot be trusted. */
export class DamagedBackup extends Error {
  constructor(what: string) {
    super(`this backup is damaged: ${what}`);
  }
}

export function encodeRecord(record: BackupRecord): Uint8Array {
  if (!("body" in record)) return Buffer.from(`${JSON.stringify(record)}\n`);
  const { body, ...head } = record;
  const line = Buffer.from(`${JSON.stringify({ ...head, bytes: body.length })}\n`);
  return Buffer.concat([line, body]);
}

/** Bytes of a stream, taken in pieces of any size. */
class Intake {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (!done)
      this.#held = this.#held.length ? Buffer.concat([this.#held, value]) : Buffer.from(value);
    return !done;
  }

  #cut(bytes: number): Buffer {
    const taken = this.#held.subarray(0, bytes);
    this.#held = this.#held.subarray(bytes);
    return taken;
  }

  /** Without its end; undefined when nothing follows. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#held.indexOf(newline);
      if (end >= 0) return this.#cut(end + 1).toString("utf8", 0, end);
      if (this.#held.length > lineBytesMax) throw new DamagedBackup("a line without an end");
      if (await this.#more()) continue;
      if (this.#held.length > 0) throw new DamagedBackup("it is cut short");
      return undefined;
    }
  }

  async take(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = bytes;
    while (missing > 0) {
      if (this.#held.length === 0 && !(await this.#more()))
        throw new DamagedBackup("it is cut short");
      const part = this.#cut(missing);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }
}

function headOf(line: string): any {
  try {
    const head = JSON.parse(line);
    if (typeof head === "object" && head !== null) return head;
  } catch {
    // Said below.
  }
  throw new DamagedBackup("a record cannot be read");
}

/** Ends with the last record; throws DamagedBackup when there is none, or more behind it. */
export async function* decodeRecords(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<BackupRecord> {
  const intake = new Intake(stream);
  for (;;) {
    const line = await intake.line();
    if (line === undefined) throw new DamagedBackup("it is cut short");
    const { bytes, ...head } = headOf(line);
    if (typeof head.objects === "number") {
      yield head as BackupRecord;
      if ((await intake.line()) !== undefined) throw new DamagedBackup("it goes on after its end");
      return;
    }
    if (bytes === undefined) {
      yield head as BackupRecord;
      continue;
    }
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > bodyBytesMax) {
      throw new DamagedBackup("a record has an impossible size");
    }
    yield { ...head, body: await intake.take(bytes) } as BackupRecord;
  }
}

/** The same records as bytes, the last with a digest over all before and over `preamble`. */
export async function* withDigest(
  records: AsyncIterable<BackupRecord>,
  preamble: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256").update(preamble);
  for await (const record of records) {
    const bytes = encodeRecord(
      "objects" in record ? { ...record, digest: hash.copy().digest("hex") } : record,
    );
    hash.update(bytes);
    yield bytes;
  }
}

/** The same records; throws DamagedBackup at the end when they are not what was written. */
export async function* checkDigest(
  records: AsyncIterable<BackupRecord>,
  preamble: string,
): AsyncGenerator<BackupRecord> {
  const hash = createHash("sha256").update(preamble);
  let objects = 0;
  for await (const record of records) {
    if ("objects" in record) {
      if (record.digest !== hash.digest("hex")) throw new DamagedBackup("it was altered");
      if (record.objects !== objects) throw new DamagedBackup("objects are missing");
      yield record;
      continue;
    }
    hash.update(encodeRecord(record));
    if ("key" in record) objects++;
    yield record;
  }
}
