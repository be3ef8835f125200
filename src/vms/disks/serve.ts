// What a disk's pod answers in its network, to whoever knows its key: how far it is, and for uploads the way in.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { badRequest } from "../../lib/status-error.ts";
import { allowed } from "./fetch.ts";
import { SparseFile } from "./sparse-file.ts";
import { taskPort, untilDone } from "./task.ts";
import type { TaskProgress } from "./task-progress.ts";

export interface Served {
  key: string;
  progress: TaskProgress;
  /** Of uploads: takes the body, and resolves when the disk is made. */
  upload?: (body: IncomingMessage) => Promise<void>;
  /** Files by name, for whoever takes them away. */
  files?: Record<string, string>;
}

async function isKnown({ headers }: IncomingMessage, key: string): Promise<boolean> {
  const { timingSafeEqual } = await import("node:crypto");
  const given = Buffer.from(headers.authorization ?? "");
  const wanted = Buffer.from(`Bearer ${key}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function end(response: ServerResponse, code: number, text: string) {
  response.writeHead(code, { "content-type": "text/plain" });
  response.end(text);
}

/** `/NAME/disk.img` and `/NAME/disk.img.gz`. */
async function send(url: string, files: Record<string, string>, response: ServerResponse) {
  const [, name = "", kind] = /^\/([^/]+)\/disk\.img(\.gz)?$/.exec(url) ?? [];
  const file = files[name];
  if (!file) return end(response, 404, "no such disk");
  const stream = createReadStream(file);
  if (kind) {
    response.writeHead(200, { "content-type": "application/gzip" });
    const { createGzip } = await import("node:zlib");
    return pipeline(stream, createGzip({ level: 1 }), response);
  }
  const { size } = statSync(file);
  const length = size > 0 ? { "content-length": size } : {};
  response.writeHead(200, { "content-type": "application/octet-stream", ...length });
  await pipeline(stream, response);
}

async function answer(request: IncomingMessage, response: ServerResponse, served: Served) {
  if (!(await isKnown(request, served.key))) return end(response, 401, "who asks?");
  const url = request.url ?? "/";
  const { progress } = served;
  if (url === "/progress") return end(response, 200, JSON.stringify(progress.now));
  if (url === untilDone) return end(response, 200, JSON.stringify(await progress.untilDone()));
  if (url === "/upload" && request.method === "POST" && served.upload) {
    await served.upload(request);
    return end(response, 200, "");
  }
  if (served.files && request.method === "GET") return send(url, served.files, response);
  end(response, 404, "nothing is here");
}

export function serveTask(served: Served): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response, served).catch((error: Error) => {
      if (response.headersSent) response.destroy();
      else
        end(
          response,
          (error as { reason?: string }).reason === "BadRequest" ? 400 : 500,
          error.message,
        );
    });
  });
  server.requestTimeout = 0;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(taskPort, () => resolve(server));
  });
}

export interface Reception {
  file: string;
  bytesMax: number;
  told: (doneBytes: number) => void;
}

/** Whoever sends more is to hear why that is refused, so the connection stays. */
async function* limited(body: Readable, { bytesMax, told }: Reception) {
  let bytes = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    told(bytes);
    if (bytes > bytesMax) throw badRequest(`there is more than ${allowed(bytesMax)}`);
    yield chunk;
  }
}

/** Writes a body to a file; a longer one than there is room for is refused. */
export async function receive(body: IncomingMessage, reception: Reception) {
  const { file, bytesMax } = reception;
  const length = Number(body.headers["content-length"] ?? 0);
  if (length > bytesMax) throw badRequest(`${length} bytes are more than ${allowed(bytesMax)}`);
  try {
    await pipeline(limited(body, reception), SparseFile.stream(file));
  } finally {
    // What is sent still is read and forgotten.
    body.resume();
  }
}
