// `/logs/`: the machine's own logs, to read only and never beyond their folder.
import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

const escaped = (text: string) => text.replace(/[&<>"]/g, (one) => `&#${one.codePointAt(0)};`);

/** `path` is what follows `/logs/`. */
export async function sendLogFile(response: ServerResponse, path: string, folder = "/var/log") {
  const root = await realpath(folder);
  const found = await realpath(join(root, path)).catch(() => undefined);
  if (!found || (found !== root && !found.startsWith(`${root}/`))) {
    response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
    return;
  }
  const stats = await stat(found);
  if (stats.isDirectory()) {
    const entries = await readdir(found, { withFileTypes: true });
    const names = entries.map((one) => one.name + (one.isDirectory() ? "/" : "")).sort();
    const lines = names.map((name) => `<a href="${encodeURI(name)}">${escaped(name)}</a>\n`);
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(`<pre>\n${lines.join("")}</pre>\n`);
    return;
  }
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  // A log that grows meanwhile ends where it ended when it was asked for.
  const end = stats.size - 1;
  if (end < 0) response.end();
  else await pipeline(createReadStream(found, { end }), response);
}
