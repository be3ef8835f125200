// The program of a disk's pod: fills the disk on a claim from somewhere, or gives disks away. It runs as nobody in
// particular, with nothing of the host but this program, qemu-img and what they load. Argument: the task; or `--wait`,
// to be told of it by descriptor 3, which may be long after this process is ready for it.
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { IncomingMessage, Server } from "node:http";
import { join } from "node:path";
import { systemClock } from "../lib/clock.ts";
import { toldLine } from "../lib/told-line.ts";
import { badRequest } from "../lib/status-error.ts";
import { fetchFile } from "./disks/fetch.ts";
import { receive, serveTask } from "./disks/serve.ts";
import type { Served } from "./disks/serve.ts";
import {
  convert,
  headerOf,
  isRawDisk,
  keep,
  preallocate,
  settleImage,
} from "./disks/settle-image.ts";
import { imageFacts } from "./images/image-format.ts";
import { diskFile, exitCodes, headersFolder, partFile, taskPaths } from "./disks/task.ts";
import type { DiskTask, Progress } from "./disks/task.ts";
import { TaskProgress } from "./disks/task-progress.ts";

/** From where one that waits is told its task. */
const toldBy = 3;
const [, , word] = process.argv;
const task = JSON.parse(
  word === "--wait" ? toldLine<{ task: string }>(toldBy).task : word!,
) as DiskTask;
const { block, bytes } = task;
const target = block ? taskPaths.target : join(taskPaths.target, diskFile);
const part = join(block ? taskPaths.scratch : taskPaths.target, partFile);
/** A packed image is never larger than what is in it by more than this. */
const partBytesMax = bytes + 64 * 2 ** 20;
/** For answers at the end. */
const answerMsMax = 1000;

const progress = new TaskProgress(systemClock);
const tell = (phase: Progress["phase"]) => progress.tell(phase);

const settle = () =>
  settleImage({
    ...{ part, target, block, bytes, told: tell("converting") },
    ...(task.checksum && { checksum: task.checksum }),
    isRaw: task.isRaw ?? false,
  });

type Sign = typeof import("./disks/sign-s3.ts").signS3;

function headersOf(sign?: Sign): Record<string, string> {
  const given = [...(task.headers ?? []), ...secretHeaders()].map((line) => {
    const at = line.indexOf(":");
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  const { ACCESS_KEY_ID: accessKeyId, SECRET_KEY: secretKey } = readKeys();
  const keys =
    accessKeyId === undefined || secretKey === undefined
      ? {}
      : sign
        ? sign(task.url!, { accessKeyId, secretKey }, systemClock.now())
        : {
            authorization: `Basic ${Buffer.from(`${accessKeyId}:${secretKey}`).toString("base64")}`,
          };
  return { ...Object.fromEntries(given), ...keys };
}

/** Of Secrets, a line each. */
function secretHeaders(): string[] {
  if (!existsSync(headersFolder)) return [];
  const folders = readdirSync(headersFolder).map((name) => join(headersFolder, name));
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => !name.startsWith("."))
      .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
      .filter((line) => line.includes(":")),
  );
}

/** Of a Secret that is mounted beside the disks. */
function readKeys(): Record<string, string> {
  const read = (name: string) => {
    const file = join("/vm/keys", name);
    return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
  };
  const [accessKeyId, secretKey] = [read("accessKeyId"), read("secretKey")];
  return {
    ...(accessKeyId !== undefined && { ACCESS_KEY_ID: accessKeyId }),
    ...(secretKey !== undefined && { SECRET_KEY: secretKey }),
  };
}

async function download() {
  const ca = existsSync("/vm/ca")
    ? readdirSync("/vm/ca").filter((name) => !name.startsWith("."))
    : [];
  const pem = ca.map((name) => readFileSync(join("/vm/ca", name), "utf8")).join("\n");
  const sign = task.kind === "s3" ? (await import("./disks/sign-s3.ts")).signS3 : undefined;
  const headers = () => headersOf(sign);
  await fetchFile({
    ...{ url: task.url!, headers, file: part, bytesMax: partBytesMax },
    ...{ told: tell("transferring"), clock: systemClock },
    isKept: (header) => !block && !task.checksum && (task.isRaw === true || isRawDisk(header)),
    ...(pem && { ca: pem }),
  });
  await settle();
}

/** The file in an image: named, or the only one in its folder /disk. */
function imageFile(): string {
  const root = realpathSync(taskPaths.source);
  const folder = join(root, "disk");
  const files = existsSync(folder) ? readdirSync(folder) : [];
  if (files.length !== 1)
    throw badRequest(`the image has ${files.length} files in /disk; a disk is one`);
  const file = realpathSync(join(folder, files[0]!));
  if (!file.startsWith(`${root}/`) || !statSync(file).isFile())
    throw badRequest("the image's disk is no file of it");
  return file;
}

async function copyImage() {
  const from = imageFile();
  const header = headerOf(from);
  const { format, virtualBytes = statSync(from).size } = imageFacts(header);
  if (virtualBytes > bytes) {
    throw badRequest(
      `the image's virtual size of ${virtualBytes} bytes is larger than the claim's ${bytes}`,
    );
  }
  await convert({ from, format, target, block }, tell("converting"));
  if (!block) truncateSync(target, bytes);
  keep(target);
}

async function copyClaim() {
  const file = join(taskPaths.source, task.sourceFile ?? diskFile);
  const from = task.sourceBlock ? taskPaths.source : file;
  if (!existsSync(from)) throw badRequest("there is no disk on the source");
  if (!task.sourceBlock && statSync(from).size > bytes) {
    throw badRequest(`the source has ${statSync(from).size} bytes, the target room for ${bytes}`);
  }
  const { targetFile } = task;
  const to = targetFile ? join(taskPaths.target, targetFile) : target;
  // Always raw: what a guest wrote to its disk is never read as an image's header.
  await convert({ from, format: "raw", target: to, block }, tell("converting"));
  if (!block && !targetFile) truncateSync(target, Math.max(bytes, statSync(target).size));
  keep(to);
}

function makeBlank() {
  if (block || existsSync(target)) return;
  writeFileSync(target, "", { mode: 0o660 });
  truncateSync(target, bytes);
  keep(target);
}

let server: Server | undefined;

async function serve(more: Pick<Served, "upload" | "files"> = {}) {
  server = await serveTask({ key: task.key, progress, ...more });
}

/** Once all who asked are answered, or do not listen. */
function leave() {
  progress.end();
  systemClock.after(answerMsMax, () => process.exit(0));
  server?.close(() => process.exit(0));
}

function upload() {
  return new Promise<void>((resolve, reject) => {
    let busy = false;
    const take = async (body: IncomingMessage) => {
      if (busy) throw badRequest("an upload is on its way already");
      busy = true;
      try {
        await receive(body, { file: part, bytesMax: partBytesMax, told: tell("transferring") });
        await settle();
        resolve();
      } catch (error) {
        busy = false;
        rmSync(part, { force: true });
        if ((error as NodeJS.ErrnoException).code === "ENOSPC") reject(error as Error);
        throw error;
      }
    };
    serve({ upload: take }).catch(reject);
  });
}

function giveAway() {
  const files = Object.fromEntries((task.volumes ?? []).map(({ name, path }) => [name, path]));
  return new Promise<void>((_, reject) => {
    serve({ files }).catch(reject);
  });
}

const kinds: Record<Exclude<DiskTask["kind"], "replica">, () => Promise<void> | void> = {
  ...{ blank: makeBlank, http: download, s3: download, image: copyImage },
  ...{ upload, copy: copyClaim, serve: giveAway },
};

async function run() {
  const reports = !["upload", "serve"].includes(task.kind);
  if (reports) await serve();
  if (task.kind === "replica") throw new Error("copies are kept by another program");
  await kinds[task.kind]();
  if (task.preallocation && !block) await preallocate(target, bytes);
}

process.on("SIGTERM", () => process.exit(exitCodes.failed));
run().then(leave, (error: Error & { reason?: string; code?: string }) => {
  // Nobody goes on with that, and others may want the room.
  if (error.code === "ENOSPC" || error.reason === "BadRequest") {
    for (const file of [part, `${part}.mark`]) rmSync(file, { force: true });
    if (!block) rmSync(`${target}.new`, { force: true });
  }
  process.stderr.write(`${error.message}\n`);
  process.exit(error.reason === "BadRequest" ? exitCodes.hopeless : exitCodes.failed);
});
