// The node's part that answers for copies of replicated volumes: each lies in the pod of QEMU's storage daemon, which
// takes writes from one writer at a time, by a name and a key that only this writer was told.
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, rm } from "node:fs/promises";
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
import { forgetWriters, lastWriters, noteWriters, writersFile } from "./replication/last-writer.ts";
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

const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
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
  // A link that a QEMU laid there is not followed.
  const handle = await open(file, O_RDWR | O_CREAT | O_NOFOLLOW, 0o660);
  try {
    await handle.truncate(bytes);
    await runCommand("fallocate", ["-l", String(bytes), `/proc/${process.pid}/fd/${handle.fd}`]);
    await handle.chown(qemuUser, qemuUser);
  } finally {
    await handle.close();
  }
}

async function placeOf({ volumes, directory }: ReplicaOptions, podUid: string) {
  return { folder: await volumes.folder(podUid, replicaDisk), notes: directory };
}

async function serve(options: ReplicaOptions, podUid: string, bytes: number) {
  const { run, inside, file: filename, listen: host = "0.0.0.0" } = options;
  const place = await placeOf(options, podUid);
  const here = run(podUid);
  // QEMU takes no name that begins with a digit.
  const name = `w${randomBytes(nameBytes).toString("hex")}`;
  const key = randomBytes(keyBytes).toString("hex");
  return withDaemon(here, async (qmp): Promise<Omit<CopyTarget, "host">> => {
    await close(qmp);
    const before = await lastWriters(place);
    await makeRoom(join(place.folder, diskFile), bytes);
    await noteWriters(place, [name, ...before]);
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
    return { port: replicaPort, name, key, before };
  });
}

/** Of a copy to which nobody writes. */
async function grow(options: ReplicaOptions, podUid: string, bytes: number) {
  await leave(options, podUid);
  const { folder } = await placeOf(options, podUid);
  await makeRoom(join(folder, diskFile), bytes);
}

/** Nobody writes to it from here on but whoever is at its node. */
async function leave(options: ReplicaOptions, podUid: string) {
  await withDaemon(options.run(podUid), close);
  await forgetWriters(await placeOf(options, podUid));
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
    if (method === "close") return leave(options, podUid);
    if (method !== "remove" || !volume.startsWith("pvc-") || basename(volume) !== volume) {
      throw badRequest("copies are served, closed, made larger or removed");
    }
    const folder = join(options.directory, volume);
    await rm(folder, { recursive: true, force: true });
    await rm(writersFile({ folder, notes: options.directory }), { force: true });
  },
  open: async () => {
    throw new StatusError("NotFound", "copies have no streams");
  },
});
