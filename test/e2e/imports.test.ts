// Disks that are imported by processes of Kerb's own: pods as any other, which come through the end of Kerb and their
// own, and leave nothing.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { qemuImg, xz } from "../../src/vms/disks/settle-image.ts";
import { eventually } from "../support/eventually.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

const mebibyte = 2 ** 20;
const image = randomBytes(80 * mebibyte);
const small = randomBytes(3 * mebibyte);

let site: Site;
let folder: string;
let source: Server;
let url: string;
/** Where each request for the large image began. */
let begun: number[] = [];
/** How much of it comes; the rest has to wait. */
let sentMax = image.length;

const files: Record<string, Buffer> = { "/small": small };

function answer({ url: path = "", headers }: IncomingMessage, response: ServerResponse) {
  const file = files[path];
  if (file) return response.writeHead(200, { "content-length": file.length }).end(file);
  const from = Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
  begun.push(from);
  response.writeHead(from > 0 ? 206 : 200, {
    ...{ etag: '"one"', "content-length": image.length - from },
    ...(from > 0 && { "content-range": `bytes ${from}-${image.length - 1}/${image.length}` }),
  });
  response.write(image.subarray(from, Math.max(from, sentMax)));
  if (sentMax === image.length) response.end();
}

/** As qemu-img makes them of what others sent. */
function packed() {
  const raw = join(folder, "raw");
  writeFileSync(raw, small);
  execFileSync(qemuImg, ["convert", "-f", "raw", "-O", "qcow2", raw, `${raw}.qcow2`]);
  execFileSync(xz, ["-0", "-k", raw]);
  execFileSync("gzip", ["-1", "-k", raw]);
  for (const kind of ["qcow2", "xz", "gz"]) files[`/${kind}`] = readFileSync(`${raw}.${kind}`);
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kerb-imports-"));
  packed();
  site = await startSite("--vms", "--name", "imports");
  const [node] = (await site.get("nodes")).items;
  const host = node.status.addresses.find((one: any) => one.type === "InternalIP").address;
  source = createServer(answer).listen(0, host);
  await once(source, "listening");
  url = `http://${host}:${(source.address() as AddressInfo).port}`;
});
after(async () => {
  source?.closeAllConnections();
  source?.close();
  await site?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const bring = (name: string, http: object, storage = "100Mi") =>
  site.apply(
    JSON.stringify({
      apiVersion: "cdi.kubevirt.io/v1beta1",
      kind: "DataVolume",
      metadata: { name },
      spec: {
        source: { http },
        pvc: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
      },
    }),
  );
const untilPhase = (name: string, phase: string) =>
  site.kubectl(["wait", `dv/${name}`, `--for=jsonpath={.status.phase}=${phase}`, "--timeout=90s"]);

/** The disk as it lies on the node. */
const diskOf = async (name: string) => readFileSync(join(await folderOf(name), "disk.img"));

const readOf = (pid: string, file: string) => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
};

/** Those of a program that fills disks in the network of that address, the program itself last. */
const processesAt = (podIP: string): number[] =>
  readdirSync("/proc")
    .filter((one) => /^\d+$/.test(one) && readOf(one, "cmdline").includes("vm-disk"))
    .filter((pid) => readOf(pid, "net/fib_trie").includes(`-- ${podIP}\n`))
    .map(Number);

/** That are there by now. */
const processesOf = (pod: string) =>
  eventually(async () => {
    const { status } = await site.get("pod", pod);
    const found = status.podIP ? processesAt(status.podIP) : [];
    return found.length > 1 && found;
  }, `a program of ${pod} runs`);

/** Of a claim, as a folder of the node. */
async function folderOf(name: string): Promise<string> {
  const { spec } = await site.get("pvc", name);
  const { spec: volume } = await site.get("pv", spec.volumeName);
  return volume.local?.path ?? volume.hostPath.path;
}

/** It is on its way, and has to wait. */
async function untilHalfway(name: string, bytes: number) {
  begun = [];
  sentMax = bytes;
  await bring(name, { url: `${url}/large` });
  await eventually(async () => begun.length > 0, "the source is asked");
  await untilPhase(name, "ImportInProgress");
}

function release() {
  sentMax = image.length;
  source.closeAllConnections();
}

test("disks are what was sent, as they are, packed and as images, with their checksum", async () => {
  const kinds = ["small", "qcow2", "xz", "gz"];
  for (const kind of kinds) await bring(kind, { url: `${url}/${kind}` }, "4Mi");
  for (const kind of kinds) {
    await untilPhase(kind, "Succeeded");
    assert.ok((await diskOf(kind)).subarray(0, small.length).equals(small), kind);
  }
  const wrong = `sha256:${"0".repeat(64)}`;
  await bring("wrong", { url: `${url}/small`, checksum: wrong }, "4Mi");
  await untilPhase("wrong", "Failed");
});

test("whoever imports is a pod with an address, limits and the last words of its program", async () => {
  await untilHalfway("seen", 40 * mebibyte);
  const pod = await eventually(async () => {
    const found = await site.get("pod", "importer-seen");
    return found.status.podIP && found.status.containerStatuses?.[0].ready && found;
  }, "the pod is ready");
  assert.equal(pod.spec.containers[0].resources.limits.memory, "512Mi");
  const pid = (await processesOf("importer-seen")).at(-1);
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  assert.match(status, /^Uid:\t107\t107\t107\t107$/m);
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  assert.notEqual(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync("/proc/self/ns/net"));
  const tried = await site.tryKubectl(["exec", "importer-seen", "--", "/bin/true"]);
  assert.match(tried.stderr, /there are no programs in/);
  release();
  await untilPhase("seen", "Succeeded");
  assert.ok((await diskOf("seen")).subarray(0, image.length).equals(image));
});

test("an import goes on where it was when its program is killed, and when Kerb is", async () => {
  await untilHalfway("killed", 72 * mebibyte);
  const pids = await processesOf("importer-killed");
  const mark = join(await folderOf("killed"), ".import.part.mark");
  await eventually(async () => existsSync(mark), "it is known how much is there");
  begun = [];
  process.kill(pids.at(-1)!, "SIGKILL");
  await eventually(async () => begun.length > 0, "it is asked for again");
  assert.ok(begun[0]! >= 40 * mebibyte, `from ${begun[0]} on`);
  process.kill(site.pid, "SIGKILL");
  await site.up("--vms");
  const before = begun.length;
  release();
  await untilPhase("killed", "Succeeded");
  assert.ok((await diskOf("killed")).subarray(0, image.length).equals(image));
  assert.ok(begun.length > before);
});

test("an import whose DataVolume is deleted leaves nothing", async () => {
  await untilHalfway("cancelled", 40 * mebibyte);
  const { status } = await site.get("pod", "importer-cancelled");
  assert.ok((await processesOf("importer-cancelled")).length > 1);
  const path = await folderOf("cancelled");
  await site.kubectl(["delete", "dv", "cancelled", "--timeout=60s"]);
  await eventually(async () => processesAt(status.podIP).length === 0, "its program is gone");
  await eventually(async () => !existsSync(path), "its disk is gone");
  const mounts = () => readFileSync("/proc/self/mountinfo", "utf8");
  await eventually(async () => !mounts().includes(path), "nothing is mounted for it");
  release();
});
