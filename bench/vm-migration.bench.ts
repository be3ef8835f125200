// A live migration between two nodes beside one between two raw QEMUs of the same guest, bandwidth and patience, in
// turns: how long the guest stands still, as QEMU itself measures it. Each guest moves on from where it went. In moves
// of its own, a client of Kerb's guest tells how long it waited for an answer.
//
// The raw QEMUs have a TCP connection over loopback, as machines have no other way to each other: without encryption,
// without a network between, and with the kernel's own buffers. By a unix socket, whose buffers are small by nature,
// they move as well, for comparison.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { guestArchive, guestArgs, guestImage, guestPaths } from "../test/support/guest.ts";
import { Machine } from "../test/support/machine.ts";
import { guestFiles, QemuVm } from "../test/support/qemu.ts";
import { freePort, startSite } from "../test/support/site.ts";
import type { Site } from "../test/support/site.ts";
import { Talker } from "../test/support/talker.ts";
import { percentile } from "./row.ts";
import type { Rows } from "./row.ts";

const firstWord = "GUEST ready";
const bandwidth = 64 * 2 ** 20;
const downtimeMsFirst = 20;
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
          kernelArgs: `${guestArgs} `,
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

async function move(site: Site, n: number): Promise<number> {
  const metadata = { name: `move-${n}` };
  const kind = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstanceMigration" };
  await site.apply(JSON.stringify({ ...kind, metadata, spec: { vmiName: "moving" } }));
  // One client that listens: one that asks again and again takes the processors that the guest's move needs.
  const moved = "--for=jsonpath={.status.phase}=Succeeded";
  await site.kubectl(["wait", `vmim/${metadata.name}`, moved, "--timeout=60s"]);
  const { items } = await site.get("events", "--sort-by=.lastTimestamp");
  const said = items.filter(({ reason }: any) => reason === "Migrated").at(-1).message;
  return Number(/stood still for (\d+) ms/.exec(said)![1]);
}

/** A guest of Kerb's, on either of two nodes. */
class Pair {
  readonly #machine = new Machine();
  #site: Site | undefined;
  #moves = 0;
  address = "";

  get site(): Site {
    return this.#site!;
  }

  async start() {
    await this.#machine.start();
    const listen = ["--listen", this.#machine.hostAddress];
    const site = (this.#site = await startSite("--vms", "--name", "first", ...listen));
    await this.#machine.join(...(await site.joinWords()), "--name", "second", "--vms");
    const archive = join(site.directory, "guest.tar");
    writeFileSync(archive, guestArchive());
    await site.kerb("image", "import", archive);
    await this.#machine.kerb("image", "import", archive);
    await site.apply(manifest);
    this.address = await until(async () => {
      const { status } = await site.get("vmi", "moving");
      const isUp = status.conditions.some((one: any) => one.type === "AgentConnected");
      return isUp && status.interfaces[0].ipAddress;
    });
  }

  move(): Promise<number> {
    return move(this.site, this.#moves++);
  }

  /** How long a client waited at most. */
  async silence(): Promise<number> {
    const talker = new Talker(this.address, echoPort);
    await until(async () => talker.heard > 10);
    talker.longestMs = 0;
    await this.move();
    await setTimeout(3000);
    if (talker.trouble) throw new Error(`the client lost its connection: ${talker.trouble}`);
    talker.end();
    return talker.longestMs;
  }

  async end() {
    await this.#machine.remove();
    await this.#site?.remove();
  }
}

class RawPair {
  readonly #folder: string;
  readonly #kernel: ReturnType<typeof guestFiles>;
  #here: QemuVm | undefined;
  #moves = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#kernel = guestFiles(folder);
  }

  async start() {
    const here = (this.#here = await QemuVm.start(this.#kernel, { devices: { rng: {} } }));
    await until(async () => here.said.includes(firstWord) && here.vm.agentConnected);
  }

  async move(way: "tcp" | "unix"): Promise<number> {
    const source = this.#here!;
    const target = await QemuVm.start(this.#kernel, { devices: { rng: {} }, incoming: true });
    this.#here = target;
    try {
      await until(async () => target.vm.status === "inmigrate");
      const file = join(this.#folder, `move-${this.#moves++}`);
      const uri = way === "tcp" ? `tcp:127.0.0.1:${await freePort()}` : `unix:${file}`;
      await target.vm.qmp.execute("migrate-incoming", { uri });
      await source.vm.qmp.execute("migrate-set-parameters", {
        ...{ "max-bandwidth": bandwidth, "downtime-limit": downtimeMsFirst },
      });
      // As Kerb has it: the source waits until the target has all, so that its time counts as well.
      const capabilities = [{ capability: "return-path", state: true }];
      await source.vm.qmp.execute("migrate-set-capabilities", { capabilities });
      await source.vm.qmp.execute("migrate", { uri });
      const { downtime } = await until(async () => {
        const info = await source.vm.qmp.execute("query-migrate");
        // It says so of its own coming, too.
        return info.status === "completed" && info.ram && info["total-time"] > 0 && info;
      });
      return downtime;
    } finally {
      await source.stop();
    }
  }

  async end() {
    await this.#here?.stop();
  }
}

export async function* benchVmMigration(runs: number): Rows {
  const folder = mkdtempSync(join(tmpdir(), "kerb-bench-move-"));
  const [pair, raw] = [new Pair(), new RawPair(folder)];
  const stoodMs: number[] = [];
  const rawMs: Record<"tcp" | "unix", number[]> = { tcp: [], unix: [] };
  const silentMs: number[] = [];
  try {
    await pair.start();
    await raw.start();
    for (let n = 0; n < runs; n++) {
      stoodMs.push(await pair.move());
      for (const way of ["tcp", "unix"] as const) rawMs[way].push(await raw.move(way));
      if (n % 2 === 0) silentMs.push(await pair.silence());
    }
    const better = "lower" as const;
    const baseline = percentile(rawMs.tcp, 0.5);
    yield {
      ...{ name: "VM migration, guest stands still", value: percentile(stoodMs, 0.5) },
      ...{ unit: "ms", better, baseline: { name: "raw QEMU, TCP", value: baseline } },
      target: Math.round(baseline * 1.3),
    };
    yield {
      ...{ name: "VM migration, guest stands still", value: percentile(stoodMs, 0.5) },
      ...{ unit: "ms", better },
      baseline: { name: "raw QEMU, unix socket", value: percentile(rawMs.unix, 0.5) },
    };
    yield {
      ...{ name: "VM migration, client waits at most", value: percentile(silentMs, 0.5) },
      ...{ unit: "ms", better },
    };
  } finally {
    await raw.end();
    await pair.end();
    rmSync(folder, { recursive: true, force: true });
  }
}
