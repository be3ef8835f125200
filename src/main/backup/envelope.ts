// A backup as a file: one clear line that says what it is, then records, compressed, and sealed when somebody
// gave a passphrase. A file appears whole or not at all, and only its owner reads it.
import { randomBytes } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress, createZstdDecompress } from "node:zlib";
import { checkDigest, DamagedBackup, decodeRecords, withDigest } from "./records.ts";
import type { BackupRecord } from "./records.ts";
import { keyOf, openFrames, sealFrames, sealingCost } from "./seal.ts";
import type { Sealing } from "./seal.ts";

/** The first line of the file. */
export interface Preamble {
  kind: "KerbBackup";
  format: number;
  site: string;
  created: string;
  /** Version of Kerb. */
  version: string;
  sealed?: Sealing;
}

const format = 1;
const preambleBytesMax = 4096;

export interface WriteOptions {
  preamble: Pick<Preamble, "site" | "created" | "version">;
  passphrase?: string;
}

/** On disk when it resolves. */
export async function writeBackup(
  path: string,
  records: AsyncIterable<BackupRecord>,
  { preamble, passphrase }: WriteOptions,
): Promise<void> {
  const sealed = { salt: randomBytes(16).toString("base64"), cost: sealingCost };
  const first: Preamble = {
    kind: "KerbBackup",
    format,
    ...preamble,
    ...(passphrase && { sealed }),
  };
  const line = `${JSON.stringify(first)}\n`;
  const part = `${path}.part`;
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) throw new Error(`there is no folder ${folder} for the backup`);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`${path} is a folder; name a file in it`);
  }
  rmSync(part, { force: true });
  const output = createWriteStream(part, { flags: "wx", mode: 0o600, flush: true });
  output.write(line);
  const source = Readable.from(withDigest(records, line));
  const packed = createZstdCompress();
  try {
    if (passphrase) {
      await pipeline(source, packed, sealFrames(keyOf(passphrase, sealed), line), output);
    } else await pipeline(source, packed, output);
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

const noBackup = () => new Error("this is not a backup that Kerb made");

function parsePreamble(line: string): Preamble {
  let parsed: any;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw noBackup();
  }
  if (parsed?.kind !== "KerbBackup") throw noBackup();
  if (parsed.format === format) return parsed;
  throw new Error(
    `this backup has format ${parsed.format}, this Kerb understands ${format}: use the Kerb that wrote it`,
  );
}

/** The first line of `path`, and the bytes it takes. */
async function readPreamble(path: string): Promise<{ line: string; preamble: Preamble }> {
  let head = "";
  for await (const chunk of createReadStream(path, { end: preambleBytesMax })) {
    head += chunk.toString("latin1");
  }
  const end = head.indexOf("\n");
  if (end < 0) throw noBackup();
  const line = Buffer.from(head.slice(0, end + 1), "latin1").toString();
  return { line, preamble: parsePreamble(line) };
}

async function* named(stream: AsyncIterable<BackupRecord>): AsyncGenerator<BackupRecord> {
  try {
    yield* stream;
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    if (code.startsWith("ZSTD_") || code === "Z_BUF_ERROR")
      throw new DamagedBackup("it was altered or cut short");
    throw error;
  }
}

export interface OpenBackup {
  preamble: Preamble;
  /** Throws DamagedBackup, at the latest after the last record. */
  records: AsyncIterable<BackupRecord>;
}

export async function openBackup(path: string, passphrase?: string): Promise<OpenBackup> {
  const { line, preamble } = await readPreamble(path);
  const { sealed } = preamble;
  if (sealed && !passphrase) {
    throw new Error("this backup is encrypted: give its passphrase with --passphrase-file");
  }
  const bytes = createReadStream(path, { start: Buffer.byteLength(line) });
  const clear = sealed ? Readable.from(openFrames(keyOf(passphrase!, sealed), line)(bytes)) : bytes;
  const unpacked = createZstdDecompress();
  // Its failure is the reader's.
  pipeline(clear, unpacked).catch(() => {});
  return { preamble, records: named(checkDigest(decodeRecords(unpacked), line)) };
}
