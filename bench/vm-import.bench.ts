// A disk that is imported, from the DataVolume to its success, beside copies of the same file on the same disk: by curl
// from the same server and by cp, which are synced, since what a DataVolume says to be there is there after a power
// cut; and by dd past the page cache, which is as fast as the disk, whatever the memory does. They take turns, and all
// read a file that is in the page cache: the server of the import sends it from there, cp copies it within. Making the
// claim and the pod counts too; how much that is, an import of next to nothing tells, and the first one of all, for which
// no process waits.
import { execFileSync, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort, startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { openApi } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { percentile } from "./row.ts";
import type { Rows } from "./row.ts";

const mebibyte = 2 ** 20;
const imageMebibytes = 1024;
const lookMs = 20;
const volumes = "/apis/cdi.kubevirt.io/v1beta1/namespaces/default/datavolumes";

/** Nothing in it is a hole. */
function makeImage(file: string) {
  const block = Buffer.alloc(mebibyte);
  const fd = openSync(file, "w");
  for (let i = 0; i < imageMebibytes; i++) writeSync(fd, randomFillSync(block));
  closeSync(fd);
}

function timed(work: () => void): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

function copy(command: string, args: string[], to: string): number {
  const ms = timed(() => {
    execFileSync(command, args);
    execFileSync("sync", [to]);
  });
  rmSync(to);
  return ms;
}

function copyToDisk(from: string, to: string): number {
  const how = ["bs=4M", "oflag=direct", "conv=fsync", "status=none"];
  const ms = timed(() => execFileSync("dd", [`if=${from}`, `of=${to}`, ...how]));
  rmSync(to);
  return ms;
}

const answers = (port: number, host: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, host, () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.end());
  });

/** Another machine, which would share neither processor nor disk, so it costs little: the kernel sends the file. */
async function startSource(host: string, folder: string) {
  const port = await freePort();
  const child = spawn("busybox", ["httpd", "-f", "-p", `${host}:${port}`, "-h", folder], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  while (!(await answers(port, host))) await setTimeout(lookMs);
  return { child, url: `http://${host}:${port}` };
}

const dataVolume = (name: string, url: string) =>
  Buffer.from(
    JSON.stringify({
      apiVersion: "cdi.kubevirt.io/v1beta1",
      kind: "DataVolume",
      metadata: { name },
      spec: {
        source: { http: { url } },
        pvc: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: `${imageMebibytes}Mi` } },
        },
      },
    }),
  );

async function bring(site: Site, api: Api, { name, url }: { name: string; url: string }) {
  const started = performance.now();
  await api.request("POST", volumes, dataVolume(name, url));
  for (;;) {
    const { status } = JSON.parse((await api.read(`${volumes}/${name}`)).toString());
    if (status?.phase === "Succeeded") break;
    if (status?.phase === "Failed") throw new Error(JSON.stringify(status.conditions));
    await setTimeout(lookMs);
  }
  const ms = performance.now() - started;
  await site.kubectl(["delete", "dv", name]);
  return ms;
}

async function* measure(site: Site, api: Api, runs: number): Rows {
  const [node] = (await site.get("nodes")).items;
  const host = node.status.addresses.find((one: any) => one.type === "InternalIP").address;
  const folder = join(site.directory, "images");
  mkdirSync(folder);
  const image = join(folder, "disk.img");
  makeImage(image);
  writeFileSync(join(folder, "small.img"), randomFillSync(Buffer.alloc(mebibyte)));
  const { child, url } = await startSource(host, folder);
  const to = join(site.directory, "bench.copy");
  const [ours, small]: number[][] = [[], []];
  let first = 0;
  const copies: Record<string, number[]> = { "cp and sync": [], "curl and sync": [], dd: [] };
  try {
    first = await bring(site, api, { name: "first", url: `${url}/small.img` });
    await bring(site, api, { name: "second", url: `${url}/disk.img` });
    for (let i = 0; i < runs; i++) {
      copies["cp and sync"]!.push(copy("cp", [image, to], to));
      ours!.push(await bring(site, api, { name: `import-${i}`, url: `${url}/disk.img` }));
      copies["dd"]!.push(copyToDisk(image, to));
      small!.push(await bring(site, api, { name: `small-${i}`, url: `${url}/small.img` }));
      copies["curl and sync"]!.push(copy("curl", ["-s", "-o", to, `${url}/disk.img`], to));
    }
  } finally {
    child.kill();
    rmSync(folder, { recursive: true });
  }
  const speed = (times: number[]) => (imageMebibytes / percentile(times, 0.5)) * 1000;
  for (const [name, times] of Object.entries(copies)) {
    const baseline = speed(times);
    yield {
      ...{ name: "VM disk import, 1 GiB", value: speed(ours!), unit: "MiB/s", better: "higher" },
      ...{ baseline: { name, value: baseline }, target: Math.round(baseline * 0.8) },
    };
  }
  yield {
    ...{ name: "VM disk import, 1 MiB", value: percentile(small!, 0.5), unit: "ms" },
    better: "lower",
  };
  yield { name: "the first of a machine, 1 MiB", value: first, unit: "ms", better: "lower" };
}

export async function* benchVmImport(runs: number): Rows {
  const site = await startSite("--vms", "--name", "bench");
  const api = openApi(site.kubeconfig, 2);
  try {
    yield* measure(site, api, runs);
  } finally {
    api.close();
    await site.remove();
  }
}
