// A live migration between two nodes beside one between two raw QEMUs of the same guest and bandwidth, in the same
// run: how long the guest stands still, as QEMU itself measures it. A client of the guest is told beside it how long
// it waited for an answer.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { guestArchive, guestImage, guestPaths } from "../test/support/guest.ts";
import { Machine } from "../test/support/machine.ts";
import { guestFiles, QemuVm } from "../test/support/qemu.ts";
import { startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { Talker } from "../test/support/talker.ts";
import { percentile } from "./row.ts";
import type { Rows } from "./row.ts";

const firstWord = "GUEST ready";
const bandwidth = 64 * 2 ** 20;
const echoPort = 7;
const lookMs = 50;

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    await setTimeout(lookMs);
  }
}

const manifest = JSON.stringify({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  metadata: { name: "moving" },
  spec: {
    terminationGracePeriodSeconds: 0,
    domain: {
      memory: { guest: "128Mi" },
      devices: { rng: {}, interfaces: [{ name: "default", masquerade: {} }] },
      firmware: {
        kernelBoot: {
          kernelArgs: "console=ttyS0 quiet ",
          container: {
            image: guestImage,
            kernelPath: guestPaths.kernel,
            initrdPath: guestPaths.initrd,
          },
        },
      },
    },
    networks: [{ name: "default", pod: {} }],
  },
});

interface Moves {
  stoodMs: number[];
  silentMs: number[];
}

async function move(site: Site, n: number): Promise<number> {
  const metadata = { name: `move-${n}` };
  const kind = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstanceMigration" };
  await site.apply(JSON.stringify({ ...kind, metadata, spec: { vmiName: "moving" } }));
  await until(async () => {
    const { status } = await site.get("vmim", metadata.name);
    if (status?.phase === "Failed") throw new Error(JSON.stringify(status));
    return status?.phase === "Succeeded";
  });
  const { items } = await site.get("events", "--sort-by=.lastTimestamp");
  const said = items.filter(({ reason }: any) => reason === "Migrated").at(-1).message;
  return Number(/stood still for (\d+) ms/.exec(said)![1]);
}

async function throughKerb(runs: number): Promise<Moves> {
  const machine = new Machine();
  await machine.start();
  const site = await startSite("--vms", "--name", "first", "--listen", machine.hostAddress);
  const moves: Moves = { stoodMs: [], silentMs: [] };
  try {
    const words = await site.joinWords();
    await machine.join(...words, "--name", "second", "--vms");
    const archive = join(site.directory, "guest.tar");
    writeFileSync(archive, guestArchive());
    await site.kerb("image", "import", archive);
    await machine.kerb("image", "import", archive);
    await site.apply(manifest);
    const address = await until(async () => {
      const { status } = await site.get("vmi", "moving");
      const isUp = status.conditions.some((one: any) => one.type === "AgentConnected");
      return isUp && status.interfaces[0].ipAddress;
    });
    for (let n = 0; n < runs; n++) {
      const talker = new Talker(address, echoPort);
      await until(async () => talker.heard > 10);
      talker.longestMs = 0;
      moves.stoodMs.push(await move(site, n));
      await setTimeout(3000);
      if (talker.trouble) throw new Error(`the client lost its connection: ${talker.trouble}`);
      moves.silentMs.push(talker.longestMs);
      talker.end();
    }
  } finally {
    await machine.remove();
    await site.remove();
  }
  return moves;
}

async function rawQemu(folder: string, runs: number): Promise<number[]> {
  const kernel = guestFiles(folder);
  const times: number[] = [];
  for (let n = 0; n < runs; n++) {
    const devices = { rng: {} };
    const source = await QemuVm.start(kernel, { devices });
    const target = await QemuVm.start(kernel, { devices, incoming: true });
    try {
      await until(async () => source.said.includes(firstWord));
      await until(async () => target.vm.status === "inmigrate");
      const uri = `unix:${join(folder, `move-${n}`)}`;
      await target.vm.qmp.execute("migrate-incoming", { uri });
      await source.vm.qmp.execute("migrate-set-parameters", { "max-bandwidth": bandwidth });
      await source.vm.qmp.execute("migrate", { uri });
      const done = await until(async () => {
        const info = await source.vm.qmp.execute("query-migrate");
        return info.status === "completed" && info;
      });
      times.push(done.downtime);
    } finally {
      await Promise.all([source.stop(), target.stop()]);
    }
  }
  return times;
}

export async function* benchVmMigration(runs: number): Rows {
  const folder = mkdtempSync(join(tmpdir(), "kerb-bench-move-"));
  try {
    const { stoodMs, silentMs } = await throughKerb(runs);
    const raw = percentile(await rawQemu(folder, runs), 0.5);
    const better = "lower" as const;
    yield {
      ...{ name: "VM migration, guest stands still", value: percentile(stoodMs, 0.5) },
      ...{ unit: "ms", better, baseline: { name: "raw QEMU", value: raw } },
      target: Math.round(raw * 1.3),
    };
    yield {
      ...{ name: "VM migration, client waits at most", value: percentile(silentMs, 0.5) },
      ...{ unit: "ms", better },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
