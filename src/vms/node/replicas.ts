// The node's part that answers for copies of replicated volumes: each lies in the pod of QEMU's storage daemon, which
// takes writes from one writer at a time, by a name and a key that only this writer was told.
import { randomBytes } from "node:crypto";
import { chown, open, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import type { NodePart } from "../../lib/node-connection.ts";
import { qemuUser } from "../domain.ts";
import { diskFile } from "../disks/task.ts";
import { replicaDisk, replicaPort } from "../replication/replica-pod.ts";
import { socketNames } from "../qemu/launch.ts";
import type { CopyTarget } from "../control.ts";
import type { HolderVolumes } from "./hotplug.ts";
import { Qmp } from "./qmp.ts";
import { sharedKey } from "./shared-key.ts";
import { dialIn } from "./sockets.ts";

export interface ReplicaOptions {
  /** The host's folder of a pod's sockets. */
  run: (podUid: string) => string;
  /** The same folder as the daemon sees it, and its disk. */
  inside: string;
  file: string;
  volumes: HolderVolumes;
  /** In which the node's volumes lie. */
  directory: string;
  /** Where writes are taken; default: every address of the pod. */
  listen?: string;
}

const tls = "tls-copy";
const node = "copy";
const nameBytes = 16;
const keyBytes = 32;

async function withDaemon<T>(run: string, act: (qmp: Qmp) => Promise<T>): Promise<T> {
  const stream = await dialIn(run, socketNames.control).catch(() => {
    throw new StatusError("ServiceUnavailable", "the copy's pod does not answer");
  });
  const qmp = await Qmp.open(stream);
  try {
    return await act(qmp);
  } finally {
    qmp.close();
  }
}

/** What was written through it stays; what is on its way is not acknowledged. */
async function close(qmp: Qmp) {
  const nodes: any[] = await qmp.execute("query-named-block-nodes", { flat: true });
  // Only where there is one does it stop.
  await qmp.execute("nbd-server-stop").catch(() => {});
  if (nodes.some((one) => one["node-name"] === node)) {
    await qmp.execute("blockdev-del", { "node-name": node });
  }
  await qmp.execute("object-del", { id: tls }).catch(() => {});
}

/** As large as the writer's, with its room on the disk taken, so that no write fails for want of it. */
async function makeRoom(file: string, bytes: number) {
  const handle = await open(file, "a", 0o660);
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
  await runCommand("fallocate", ["-l", String(bytes), file]);
  await chown(file, qemuUser, qemuUser);
}

async function serve(options: ReplicaOptions, podUid: string, bytes: number) {
  const { run, inside, file: filename, volumes, listen: host = "0.0.0.0" } = options;
  const folder = await volumes.folder(podUid, replicaDisk);
  const here = run(podUid);
  // QEMU takes no name that begins with a digit.
  const name = `w${randomBytes(nameBytes).toString("hex")}`;
  const key = randomBytes(keyBytes).toString("hex");
  return withDaemon(here, async (qmp): Promise<Omit<CopyTarget, "host">> => {
    await close(qmp);
    await makeRoom(join(folder, diskFile), bytes);
    const credentials = { run: here, inside, id: tls, key, endpoint: "server" as const };
    await qmp.execute("object-add", await sharedKey(credentials));
    await qmp.execute("blockdev-add", {
      driver: "raw",
      "node-name": node,
      file: { driver: "file", filename, locking: "on" },
    });
    await qmp.execute("nbd-server-start", {
      addr: { type: "inet", data: { host, port: String(replicaPort) } },
      "tls-creds": tls,
    });
    await qmp.execute("block-export-add", {
      ...{ type: "nbd", id: name, "node-name": node, name, writable: true },
      // Acknowledged means on disk: power may be cut everywhere at once.
      writethrough: true,
    });
    return { port: replicaPort, name, key };
  });
}

/** Of a copy to which nobody writes. */
async function grow({ run, volumes }: ReplicaOptions, podUid: string, bytes: number) {
  await withDaemon(run(podUid), close);
  await makeRoom(join(await volumes.folder(podUid, replicaDisk), diskFile), bytes);
}

interface Question {
  method: "serve" | "close" | "grow" | "remove";
  podUid?: string;
  bytes?: number;
  /** Of a folder. */
  volume?: string;
}

export const replicaPart = (options: ReplicaOptions): NodePart => ({
  async ask({ method, podUid = "", bytes = 0, volume = "" }: Question) {
    if (method === "serve") return serve(options, podUid, bytes);
    if (method === "grow") return grow(options, podUid, bytes);
    if (method === "close") return withDaemon(options.run(podUid), close);
    if (method !== "remove" || !volume.startsWith("pvc-") || basename(volume) !== volume) {
      throw badRequest("copies are served, closed, made larger or removed");
    }
    await rm(join(options.directory, volume), { recursive: true, force: true });
  },
  open: async () => {
    throw new StatusError("NotFound", "copies have no streams");
  },
});
