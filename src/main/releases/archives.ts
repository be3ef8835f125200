// Archives of releases, by the hash of their bytes: what a hub offers its sites, and what a site has fetched. A
// fetch that was cut short goes on where it was.
import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { request } from "node:https";
import type { IncomingMessage, RequestOptions } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Connection } from "../../client/kubeconfig.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Plugs } from "../../server/policy.ts";
import { releaseArchivePath } from "../../hub/names.ts";
import { sha256Of } from "./stage.ts";
import { releasesFolder } from "./state.ts";

const archiveBytesMax = 512 * 2 ** 20;
const silenceMsMax = 60_000;
const digestPattern = /^[0-9a-f]{64}$/;

function archiveOf(directory: string, sha256: string): string {
  const folder = join(releasesFolder(directory), "archives");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, `${sha256}.tgz`);
}

/** Puts an archive where a hub's sites find it; resolves with its hash. */
export async function offerArchive(directory: string, file: string): Promise<string> {
  const sha256 = await sha256Of(file);
  const place = archiveOf(directory, sha256);
  copyFileSync(file, `${place}.new`);
  renameSync(`${place}.new`, place);
  return sha256;
}

/** GET /kerb/release/archive?sha256=…, whole or from where `Range` says. */
export function plugArchives(plugs: Plugs, directory: string) {
  plugs.paths.set(releaseArchivePath, async ({ method, query, headers }) => {
    if (method !== "GET") throw new StatusError("MethodNotAllowed", "archives are read only");
    const sha256 = query.get("sha256") ?? "";
    const place = digestPattern.test(sha256) ? archiveOf(directory, sha256) : "";
    if (!existsSync(place)) throw new StatusError("NotFound", `there is no archive ${sha256} here`);
    const start = Number(/^bytes=(\d+)-$/.exec(headers["range"] ?? "")?.[1] ?? 0);
    const { size } = statSync(place);
    const from = start < size ? start : 0;
    return {
      code: from > 0 ? 206 : 200,
      headers: {
        "content-type": "application/gzip",
        ...(from > 0 && { "content-range": `bytes ${from}-${size - 1}/${size}` }),
      },
      stream: createReadStream(place, { start: from }),
    };
  });
}

const answerOf = (url: URL, options: RequestOptions) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(url, options, resolve).on("error", reject);
    asked.setTimeout(silenceMsMax, () => asked.destroy(new Error(`${url.host} says nothing`)));
    asked.end();
  });

/** Who is asked, and as whom: a path is the hub's own. */
function sourceOf(url: string, { server, ca, cert, key, serverName }: Connection) {
  if (!url.startsWith("/")) return { from: new URL(url), identity: {} };
  const identity = {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(serverName && { servername: serverName }),
  };
  return { from: new URL(url, server), identity };
}

async function* limited(stream: AsyncIterable<Buffer>, already: number) {
  let bytes = already;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > archiveBytesMax) throw new Error("the archive is larger than any release");
    yield chunk;
  }
}

/** Resolves with the file once its bytes are those of `sha256`. */
export async function fetchArchive(
  directory: string,
  { url, sha256 }: { url: string; sha256: string },
  hub: Connection,
): Promise<string> {
  const place = archiveOf(directory, sha256);
  if (existsSync(place)) return place;
  const part = `${place}.part`;
  const have = existsSync(part) ? statSync(part).size : 0;
  const { from, identity } = sourceOf(url, hub);
  const headers = have > 0 ? { range: `bytes=${have}-` } : {};
  const answer = await answerOf(from, { ...identity, headers });
  if (answer.statusCode !== 200 && answer.statusCode !== 206) {
    answer.resume();
    if (answer.statusCode === 416) rmSync(part, { force: true });
    throw new Error(`${from.origin}${from.pathname} answers ${answer.statusCode}`);
  }
  const goesOn = answer.statusCode === 206;
  const output = createWriteStream(part, { flags: goesOn ? "a" : "w", mode: 0o600, flush: true });
  await pipeline(answer, (chunks) => limited(chunks, goesOn ? have : 0), output);
  const found = await sha256Of(part);
  if (found !== sha256) {
    rmSync(part);
    throw new Error(`what ${from.host} gave is sha256 ${found}, not ${sha256}`);
  }
  renameSync(part, place);
  return place;
}
