// From a file that came from somewhere to the disk on a claim: unpacked, judged, raw, and as large as the claim.
// Nothing that it says of itself is believed beyond what the claim has room for.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import {
  closeSync,
  createReadStream,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { Readable, Transform } from "node:stream";
import { runCommand } from "../../lib/run-command.ts";
import { fallocate } from "./room-ahead.ts";
import { SparseFile } from "./sparse-file.ts";
import { badRequest } from "../../lib/status-error.ts";
import { imageFacts, imageHeaderBytes } from "../images/image-format.ts";

export interface SettleOptions {
  /** What came; it is gone afterwards. */
  part: string;
  /** The disk's file, or a device. */
  target: string;
  block: boolean;
  bytes: number;
  checksum?: string;
  /** Whatever it looks like: a guest wrote it. */
  isRaw?: boolean;
  told: (doneBytes: number, totalBytes?: number) => void;
}

/** A tenth of the program's start, and most images are not packed. */
type Zlib = typeof import("node:zlib");

/** The program in the pod that judges and converts. */
export const qemuImg = "/usr/bin/qemu-img";
export const xz = "/usr/bin/xz";

/** So much of a file as tells what it is. */
export function headerOf(file: string): Buffer {
  const header = Buffer.alloc(imageHeaderBytes);
  const fd = openSync(file, "r");
  try {
    return header.subarray(0, readSync(fd, header, 0, imageHeaderBytes, 0));
  } finally {
    closeSync(fd);
  }
}

async function check(file: string, checksum: string) {
  const [algorithm, wanted] = checksum.toLowerCase().split(":") as [string, string];
  const { createHash } = await import("node:crypto");
  const hash = createHash(algorithm);
  await pipeline(createReadStream(file), hash);
  const found = hash.digest("hex");
  if (found !== wanted) throw badRequest(`the checksum is ${algorithm}:${found}, not ${checksum}`);
}

type Unpacker = (file: string) => Readable[] | Promise<Readable[]>;

function unpackerOf(header: Buffer): Unpacker | undefined {
  const starts = (...bytes: number[]) =>
    header.subarray(0, bytes.length).equals(Buffer.from(bytes));
  const through = (make: (zlib: Zlib) => Transform) => async (file: string) => [
    createReadStream(file),
    make(await import("node:zlib")),
  ];
  if (starts(0x1f, 0x8b)) return through(({ createGunzip }) => createGunzip());
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) {
    return through(({ createZstdDecompress }) => createZstdDecompress());
  }
  if (!starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return undefined;
  return (file) => [Readable.from(unpackedByXz(file))];
}

/** What it says is whole only when its program says so at the end. */
async function* unpackedByXz(file: string) {
  const child = spawn(xz, ["-dc", "-M", "256MiB", file], { stdio: ["ignore", "pipe", "ignore"] });
  const code = exitCodeOf(child);
  code.catch(() => {});
  try {
    yield* child.stdout;
    if ((await code) !== 0) throw badRequest("the image does not unpack: it is no good xz file");
  } finally {
    child.kill();
  }
}

/** Whether it is a disk as it is, by its first bytes. */
export function isRawDisk(header: Buffer): boolean {
  if (header.length < imageHeaderBytes || unpackerOf(header)) return false;
  try {
    return imageFacts(header).format === "raw";
  } catch {
    return false;
  }
}

class Limit extends Transform {
  #left: number;

  constructor(bytesMax: number) {
    super();
    this.#left = bytesMax;
  }

  override _transform(
    chunk: Buffer,
    _: string,
    done: (error?: Error | null, data?: Buffer) => void,
  ) {
    this.#left -= chunk.length;
    if (this.#left < 0) return done(badRequest("unpacked, the image is larger than the claim"));
    done(null, chunk);
  }
}

async function unpack(part: string, bytes: number) {
  const unpacker = unpackerOf(headerOf(part));
  if (!unpacker) return;
  const raw = `${part}.raw`;
  try {
    const streams = [...(await unpacker(part)), new Limit(bytes), SparseFile.stream(raw)];
    await pipeline(streams as any);
  } catch (error) {
    rmSync(raw, { force: true });
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw /^Z_|^ZSTD/.test(code) ? badRequest(`the image does not unpack: ${code}`) : error;
  }
  renameSync(raw, part);
}

const tooLarge = (size: number, bytes: number) =>
  badRequest(`the image's virtual size of ${size} bytes is larger than the claim's ${bytes}`);

const exitCodeOf = (child: ChildProcess) =>
  new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });

/** Room in it that nothing uses is lost to nobody. */
const checked = { sound: 0, leaks: 3 } as const;

/**
 * Where an image ends early QEMU reads zeros and says nothing. Asked, it names each cluster that is missing as a
 * whole, which nobody reads. Of one that was in use when it was taken, it would tell what QEMU makes good by itself.
 */
async function isSound(part: string): Promise<boolean> {
  const check = ["check", "-q", "-f", "qcow2", part];
  const code = await exitCodeOf(spawn(qemuImg, check, { stdio: "ignore" }));
  return code === checked.sound || code === checked.leaks;
}

/** What QEMU itself reads in it; run in the pod, where there is nothing else to read. */
async function judge(part: string, bytes: number) {
  const facts = imageFacts(headerOf(part));
  if (facts.format === "raw") {
    const { size } = statSync(part);
    if (size > bytes) throw tooLarge(size, bytes);
    if (size === 0) throw badRequest("the image is empty");
    return facts.format;
  }
  if (facts.virtualBytes! > bytes) throw tooLarge(facts.virtualBytes!, bytes);
  const told = await runCommand(qemuImg, ["info", "--output=json", "-f", "qcow2", part]).catch(
    (error: Error) => {
      throw badRequest(`the image is broken: ${error.message}`);
    },
  );
  const info = JSON.parse(told);
  if (info["backing-filename"] || info["format-specific"]?.data?.["data-file"]) {
    throw badRequest("images may not name other files");
  }
  if (info["virtual-size"] > bytes) throw tooLarge(info["virtual-size"], bytes);
  if (!info["dirty-flag"] && !(await isSound(part))) {
    throw badRequest("the image ends early or is damaged; `qemu-img check` tells where");
  }
  return facts.format;
}

export async function settleImage(options: SettleOptions) {
  const { part, target, block, bytes, checksum, isRaw, told } = options;
  if (checksum) await check(part, checksum);
  if (!isRaw) await unpack(part, bytes);
  const format = isRaw ? "raw" : await judge(part, bytes);
  if (isRaw && statSync(part).size > bytes) throw tooLarge(statSync(part).size, bytes);
  if (format === "raw" && !block) renameSync(part, target);
  else await convert({ from: part, format, target, block }, told);
  rmSync(part, { force: true });
  if (!block) truncateSync(target, bytes);
  keep(target);
  told(bytes, bytes);
}

/** What is said to be there is on the disk, whatever happens to the power. */
export function keep(target: string) {
  for (const path of [target, dirname(target)]) {
    const fd = openSync(path, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** Whoever writes to it later finds the room that is said to be there. */
export async function preallocate(target: string, bytes: number) {
  await runCommand(fallocate, ["--length", String(bytes), target]).catch((error: Error) => {
    const full = /No space left/.test(error.message);
    throw Object.assign(error, full && { code: "ENOSPC" });
  });
  keep(target);
}

interface Conversion {
  from: string;
  format: "raw" | "qcow2";
  target: string;
  block: boolean;
}

/** A disk that is half made does not look like one. */
export async function convert(
  { from, format, target, block }: Conversion,
  told: SettleOptions["told"],
) {
  const made = block ? target : `${target}.new`;
  const args = ["convert", "-p", "-f", format, "-O", "raw", ...(block ? ["-n"] : []), from, made];
  const child = spawn(qemuImg, args, { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (text: Buffer) => (errors += text));
  child.stdout.on("data", (text: Buffer) => {
    const percent = /\((\d+\.\d+)\/100%\)\s*$/.exec(String(text))?.[1];
    if (percent) told(Number(percent), 100);
  });
  const code = await exitCodeOf(child);
  if (code !== 0) {
    if (!block) rmSync(made, { force: true });
    const full = /No space left/.test(errors);
    throw Object.assign(new Error(`qemu-img: ${errors.trim()}`), full && { code: "ENOSPC" });
  }
  if (!block) renameSync(made, target);
}
