// A virtual machine beside raw QEMU with the same guest and the same words, in the same run: from asking for it to
// the guest's first word, how long a pause takes, and what is accounted for it beyond the guest's memory.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseQuantity } from "../src/lib/quantity.ts";
import { guestArgs, guestImage, guestPaths, importGuest } from "../test/support/guest.ts";
import { guestFiles, QemuVm } from "../test/support/qemu.ts";
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { openApi } from "./api-load.ts";
import type { Api } from "./api-load.ts";
import { percentile } from "./row.ts";
import type { Rows } from "./row.ts";

const instances = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
const subresources = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances";
const firstWord = "GUEST up";
const guestMebibytes = 128;
const lookMs = 2;

const manifest = (name: string) =>
  Buffer.from(
    JSON.stringify({
      apiVersion: "kubevirt.io/v1",
      kind: "VirtualMachineInstance",
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 0,
        domain: {
          memory: { guest: `${guestMebibytes}Mi` },
          devices: { rng: {} },
          firmware: {
            kernelBoot: {
              kernelArgs: `${guestArgs} `,
              container: {
                image: guestImage,
                kernelPath: guestPaths.kernel,
                initrdPath: guestPaths.initrd,
              },
            },
          },
        },
      },
    }),
  );

/** What the launcher pod of a VMI has logged. */
function logOf(site: Site, name: string): string {
  const logs = join(site.directory, "logs");
  const pod = readdirSync(logs).find((folder) => folder.includes(`virt-launcher-${name}-`));
  try {
    return pod ? readFileSync(join(logs, pod, "compute/0.log"), "utf8") : "";
  } catch {
    return "";
  }
}

async function until(holds: () => boolean | Promise<boolean>) {
  while (!(await holds())) await setTimeout(lookMs);
}

async function startThroughKerb(site: Site, api: Api, name: string): Promise<number> {
  const started = performance.now();
  await api.request("POST", instances, manifest(name));
  await until(() => logOf(site, name).includes(firstWord));
  const ms = performance.now() - started;
  await site.kubectl(["delete", "vmi", name]);
  return ms;
}

type Kernel = ReturnType<typeof guestFiles>;

async function rawQemu(kernel: Kernel, pausesWanted: number) {
  const started = performance.now();
  const one = await QemuVm.start(kernel, { devices: { rng: {} } });
  await until(() => one.said.includes(firstWord));
  const startMs = performance.now() - started;
  const pauseMs: number[] = [];
  for (let n = 0; n < pausesWanted; n++) {
    const asked = performance.now();
    await one.vm.qmp.execute("stop");
    pauseMs.push(performance.now() - asked);
    await one.vm.qmp.execute("cont");
  }
  await one.stop();
  return { startMs, pauseMs };
}

/** They take turns, so that what else the machine does falls on both. */
async function starts(site: Site, api: Api, { kernel, runs }: { kernel: Kernel; runs: number }) {
  await startThroughKerb(site, api, "first");
  const [ours, raw, rawPauses]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < runs; i++) {
    ours.push(await startThroughKerb(site, api, `start-${i}`));
    const { startMs, pauseMs } = await rawQemu(kernel, 10);
    raw.push(startMs);
    rawPauses.push(...pauseMs);
  }
  return { ours: percentile(ours, 0.5), raw: percentile(raw, 0.5), rawPauses };
}

async function pauses(site: Site, api: Api, runs: number): Promise<number[]> {
  await api.request("POST", instances, manifest("paused"));
  await site.kubectl(["wait", "vmi/paused", "--for=jsonpath={.status.phase}=Running"]);
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const asked = performance.now();
    await api.request("PUT", `${subresources}/paused/pause`, Buffer.from("{}"));
    times.push(performance.now() - asked);
    await api.request("PUT", `${subresources}/paused/unpause`, Buffer.from("{}"));
  }
  return times;
}

async function overheadMebibytes(site: Site): Promise<number> {
  const { items } = await site.get("pods", "-l", "vm.kubevirt.io/name=paused");
  const { memory } = items[0].spec.containers[0].resources.requests;
  return parseQuantity(memory) / 2 ** 20 - guestMebibytes;
}

export async function* benchVms(runs: number): Rows {
  const folder = mkdtempSync(join(tmpdir(), "kerb-bench-vms-"));
  const site = await startSite("--vms", "--name", "bench");
  const api = openApi(site.kubeconfig, 2);
  try {
    await importGuest(site);
    const { ours, raw, rawPauses } = await starts(site, api, { kernel: guestFiles(folder), runs });
    const better = "lower" as const;
    const baseline = (value: number) => ({ name: "raw QEMU", value });
    yield {
      ...{ name: "VM create to first guest output", value: ours, unit: "ms", better },
      ...{ baseline: baseline(raw), target: Math.round(raw * 1.15) },
    };
    const paused = percentile(await pauses(site, api, runs * 10), 0.5);
    yield {
      ...{ name: "VM pause", value: paused, unit: "ms", better },
      ...{ baseline: baseline(percentile(rawPauses, 0.5)), target: 20 },
    };
    yield {
      ...{ name: "VM overhead, accounted", value: await overheadMebibytes(site), unit: "MiB" },
      ...{ better, target: 80 },
    };
  } finally {
    api.close();
    await site.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}
