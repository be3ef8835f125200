// A real git server on loopback: git's own HTTP backend behind TLS, open to one user only.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { openPki } from "../../src/server/auth/pki.ts";

export const gitUser = { username: "git", password: "s3cret" };
const backend = "/usr/lib/git-core/git-http-backend";
const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];

/** What CGI says first, then the body as it comes. */
function answer(request: IncomingMessage, response: ServerResponse, root: string) {
  const url = new URL(request.url!, "https://localhost");
  const child = spawn(backend, {
    env: {
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method!,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: (request.headers["git-protocol"] as string) ?? "",
      PATH: process.env["PATH"]!,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  const onHead = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    child.stdout.off("data", onHead);
    let status = 200;
    for (const line of head.toString("latin1", 0, end).split("\r\n")) {
      const [name = "", value = ""] = line.split(/: (.*)/s);
      if (name === "Status") status = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on("data", onHead);
}

export class GitServer {
  readonly folder = mkdtempSync(join(tmpdir(), "kerb-git-"));
  readonly ca: string;
  readonly #tls: { key: string; cert: string };
  #server: Server | undefined;
  port = 0;

  private constructor(ca: string, tls: { key: string; cert: string }) {
    this.ca = ca;
    this.#tls = tls;
    this.git("init", "--quiet", "--bare", "--initial-branch=main", join(this.folder, "shop.git"));
    this.git("clone", "--quiet", join(this.folder, "shop.git"), this.work);
    this.git("-C", this.work, "checkout", "--quiet", "-b", "main");
  }

  static async start(): Promise<GitServer> {
    const storage = { read: async () => undefined, write: async () => {} };
    const pki = await openPki(storage, { clock: systemClock, names: [] });
    const server = new GitServer(pki.ca(), pki.serving());
    await server.listen();
    return server;
  }

  get work() {
    return join(this.folder, "work");
  }

  get url() {
    return `https://127.0.0.1:${this.port}/shop.git`;
  }

  git(...args: string[]) {
    return execFileSync("git", [...identity, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async listen() {
    const wanted = `Basic ${Buffer.from(`${gitUser.username}:${gitUser.password}`).toString("base64")}`;
    this.#server = createServer(this.#tls, (request, response) => {
      if (request.headers.authorization === wanted) return answer(request, response, this.folder);
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    });
    await new Promise<void>((resolve) => this.#server!.listen(this.port, "127.0.0.1", resolve));
    this.port = (this.#server.address() as { port: number }).port;
  }

  async close() {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  /** Makes the files so (undefined: gone), commits and pushes; resolves with the commit. */
  commit(files: Record<string, string | undefined>, tag?: string): string {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.work, name);
      mkdirSync(dirname(path), { recursive: true });
      if (text === undefined) rmSync(path);
      else writeFileSync(path, text);
    }
    this.git("-C", this.work, "add", "--all");
    this.git("-C", this.work, "commit", "--quiet", "--message", "a change");
    if (tag) this.git("-C", this.work, "tag", "--annotate", "--message", tag, tag);
    this.git("-C", this.work, "push", "--quiet", "origin", "main", "--tags");
    return this.git("-C", this.work, "rev-parse", "HEAD").trim();
  }

  async remove() {
    await this.close();
    rmSync(this.folder, { recursive: true });
  }
}
