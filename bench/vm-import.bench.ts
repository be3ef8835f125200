// A disk that is imported, from the DataVolume to its success, beside a plain copy of as much that is synced, on the
// same disk: what a DataVolume says to be there is there after a power cut. Making the claim and the pod counts too.
import { execFileSync, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { openApi } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { percentile } from "./row.ts";
import type { Row, Rows } from "./row.ts";

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

function copy(from: string, to: string): number {
  const started = performance.now();
  execFileSync("cp", [from, to]);
  execFileSync("sync", [to]);
  const ms = performance.now() - started;
  rmSync(to);
  return ms;
}

async function startSource(host: string) {
  const script = join(import.meta.dirname, "image-source.ts");
  const child = spawn(process.execPath, [script, String(imageMebibytes * mebibyte), host], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = await once(child.stdout, "data");
  return { child, url: `http://${host}:${Number(port)}/` };
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

async function measure(site: Site, api: Api, runs: number): Promise<Row> {
  const [node] = (await site.get("nodes")).items;
  const host = node.status.addresses.find((one: any) => one.type === "InternalIP").address;
  const image = join(site.directory, "bench.img");
  makeImage(image);
  const { child, url } = await startSource(host);
  const [ours, plain]: [number[], number[]] = [[], []];
  try {
    await bring(site, api, { name: "first", url });
    for (let i = 0; i < runs; i++) {
      plain.push(copy(image, join(site.directory, "bench.copy")));
      ours.push(await bring(site, api, { name: `import-${i}`, url }));
    }
  } finally {
    child.kill();
    rmSync(image);
  }
  const speed = (times: number[]) => (imageMebibytes / percentile(times, 0.5)) * 1000;
  const baseline = speed(plain);
  return {
    ...{ name: "VM disk import, 1 GiB", value: speed(ours), unit: "MiB/s", better: "higher" },
    ...{ baseline: { name: "cp and sync", value: baseline }, target: Math.round(baseline * 0.8) },
  };
}

export async function* benchVmImport(runs: number): Rows {
  const site = await startSite("--vms", "--name", "bench");
  const api = openApi(site.kubeconfig, 2);
  try {
    yield await measure(site, api, runs);
  } finally {
    api.close();
    await site.remove();
  }
}
