// Debian's real etcd on loopback, one member, alone in a directory of its own.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort } from "./site.ts";

export interface Etcd {
  /** `127.0.0.1:41234`. */
  endpoint: string;
  kill(): Promise<void>;
  /** On the same port, with the same data. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function untilOpen(port: number) {
  for (let tries = 0; tries < 4000; tries++) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isOpen) return;
    await setTimeout(25);
  }
  throw new Error(`etcd does not listen on ${port}; is Debian's etcd-server installed?`);
}

export async function startEtcd(): Promise<Etcd> {
  const directory = mkdtempSync(join(tmpdir(), "kerb-etcd-"));
  const [port, peerPort] = [await freePort(), await freePort()];
  const endpoint = `127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = {
    "--data-dir": directory,
    "--listen-client-urls": `http://${endpoint}`,
    "--advertise-client-urls": `http://${endpoint}`,
    "--listen-peer-urls": peer,
    "--initial-advertise-peer-urls": peer,
    "--initial-cluster": `default=${peer}`,
  };
  let child: ChildProcess;
  const start = async () => {
    child = spawn("etcd", Object.entries(flags).flat(), { stdio: "ignore" });
    child.on("error", () => {});
    await untilOpen(port);
  };
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };
  await start();
  return {
    endpoint,
    start,
    kill: () => end("SIGKILL"),
    stop: async () => {
      await end("SIGTERM");
      rmSync(directory, { recursive: true });
    },
  };
}
