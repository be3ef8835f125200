// Stands in for etcd where envtest starts one. Kerb's API server keeps its own store; all that is left for
// this program is to be there, and to say in which directory of its own that store may lie.
import { mkdirSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join, resolve } from "node:path";
import { helpText, parseFlags, type FlagTable } from "./flags.ts";

const flagTable: FlagTable = {
  used: {
    "data-dir": "where the API server that asks keeps its store",
    "listen-client-urls": "where it listens, an http URL",
  },
  idle: [
    "advertise-client-urls",
    "auto-compaction-mode",
    "auto-compaction-retention",
    "initial-advertise-peer-urls",
    "initial-cluster",
    "listen-metrics-urls",
    "listen-peer-urls",
    "log-level",
    "logger",
    "max-request-bytes",
    "max-txn-ops",
    "name",
    "quota-backend-bytes",
    "snapshot-count",
    "unsafe-no-fsync",
  ],
  switches: ["unsafe-no-fsync"],
};

/** Where an API server asks for its directory. */
export const storePath = "/kerb/store";

const answer = (response: ServerResponse, code: number, body: object) =>
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));

function serve(url: string, directory: string): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const server = createServer(({ url: path }, response) => {
    if (path === "/health") answer(response, 200, { health: "true", reason: "" });
    else if (path === storePath) answer(response, 200, { directory });
    else answer(response, 404, { error: "this is kerb's stand-in for etcd, which stores nothing" });
  });
  return new Promise((listening, reject) => {
    server.once("error", reject);
    server.listen(Number(port), hostname.replace(/^\[|\]$/g, ""), () =>
      listening(() => {
        server.close();
        server.closeAllConnections();
      }),
    );
  });
}

/** Runs until it is told to stop. */
export async function main(args: string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(helpText("etcd", "Kerb's stand-in for etcd in envtest", flagTable));
    return 0;
  }
  const flags = parseFlags(args, flagTable);
  const directory = join(resolve(flags.get("data-dir") ?? "default.etcd"), "kerb");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const urls = flags.list("listen-client-urls");
  const stops = await Promise.all(
    (urls.length > 0 ? urls : ["http://localhost:2379"]).map((url) => serve(url, directory)),
  );
  await new Promise<void>((stopped) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped());
  });
  for (const stop of stops) stop();
  return 0;
}
