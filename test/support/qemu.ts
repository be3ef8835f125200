// A VM without a site: QEMU as a launcher pod would run it, with the node's own view of it.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { Scope } from "../../src/lib/scope.ts";
import type { KubeObject } from "../../src/kinds/object.ts";
import { domainOf } from "../../src/vms/domain-of.ts";
import { mindArrivals } from "../../src/vms/node/arriving.ts";
import { mindMigration } from "../../src/vms/node/migration.ts";
import { mindCopies } from "../../src/vms/node/replication/standing-still.ts";
import { Qmp } from "../../src/vms/node/qmp.ts";
import { dialIn } from "../../src/vms/node/sockets.ts";
import { Vm } from "../../src/vms/node/vm.ts";
import type { VmOptions } from "../../src/vms/node/vm.ts";
import { vmAnswers } from "../../src/vms/node/vm-control.ts";
import { Streams } from "../../src/vms/node/streams.ts";
import { prepareDisks } from "../../src/vms/prepare/prepare-disks.ts";
import { sidecars } from "../../src/vms/domain.ts";
import { qemuArguments } from "../../src/vms/qemu/arguments.ts";
import { sidecarSocket, socketNames } from "../../src/vms/qemu/launch.ts";
import { eventually } from "./eventually.ts";
import { guestArgs, guestInitramfs, guestKernel } from "./guest.ts";

/** The ports that migrations come in by are always the same, and tests of several checkouts share a machine. */
const loopback = `127.${(process.pid >> 16) & 255}.${(process.pid >> 8) & 255}.${process.pid & 255 || 1}`;

export interface QemuOptions {
  /** Words for the guest's kernel. */
  guest?: string;
  /** Parts of the VMI's spec. */
  devices?: object;
  domain?: object;
  volumes?: object[];
  /** Folders of the volumes, by name. */
  folders?: Record<string, string>;
  incoming?: boolean;
  /** Of all claims. */
  isReplicated?: boolean;
  /** With a TPM of its own, which nothing of remains. */
  hasTpm?: boolean;
}

/** As its sidecar runs it. */
async function startTpm(run: string, state: string): Promise<ChildProcess> {
  const path = join(run, sidecarSocket(sidecars.tpm));
  mkdirSync(state);
  const words = ["socket", "--tpm2", "--tpmstate", `dir=${state}`, "--ctrl"];
  const child = spawn("swtpm", [...words, `type=unixio,path=${path}`], { stdio: "ignore" });
  await eventually(async () => existsSync(path), "the TPM");
  return child;
}

/** The kernel and initramfs as files, once for a test: QEMU reads them while it starts. */
export function guestFiles(folder: string) {
  const files = { path: join(folder, "vmlinuz"), initrd: join(folder, "initramfs") };
  writeFileSync(files.path, guestKernel(), { flag: "wx" });
  writeFileSync(files.initrd, guestInitramfs(), { flag: "wx" });
  return files;
}

/** As the node does for each VM that it finds. */
function mind(options: VmOptions): Vm {
  const vm = new Vm(options);
  mindCopies(vm);
  mindMigration(vm);
  mindArrivals(vm);
  return vm;
}

export class QemuVm {
  readonly folder: string;
  readonly child: ChildProcess;
  #scope: Scope;
  #vm: Vm;
  #tpm: ChildProcess | undefined;

  private constructor(child: ChildProcess, folder: string, vm: Vm) {
    this.child = child;
    this.folder = folder;
    this.#vm = vm;
    this.#scope = vm.options.scope;
  }

  get vm() {
    return this.#vm;
  }

  /** What Kerb at its node knows of it is gone but for its notes; resolves once it is started anew. `meanwhile`: QEMU alone. */
  async restartKerb({ meanwhile }: { meanwhile?: (qmp: Qmp) => Promise<unknown> } = {}) {
    await this.#scope.close();
    const qmp = await Qmp.open(await dialIn(this.#vm.options.run, socketNames.control));
    await meanwhile?.(qmp);
    qmp.close();
    this.#scope = new Scope();
    this.#vm = mind({ ...this.#vm.options, scope: this.#scope });
    await eventually(async () => this.#vm.status !== "", "its QEMU");
  }

  /** On its console, and QEMU itself. */
  get said() {
    return readFileSync(join(this.folder, "said"), "utf8");
  }

  static async start(
    kernel: { path: string; initrd: string },
    {
      guest = "",
      devices = {},
      domain: more = {},
      volumes = [],
      folders = {},
      incoming,
      isReplicated = false,
      hasTpm = false,
    }: QemuOptions = {},
  ) {
    const folder = mkdtempSync(join(tmpdir(), "kerb-qemu-"));
    const [run, notes] = [join(folder, "run"), join(folder, "notes")];
    for (const path of [run, notes]) mkdirSync(path);
    const spec = {
      domain: {
        memory: { guest: "128Mi" },
        devices: { ...devices, ...(hasTpm && { tpm: {} }) },
        ...more,
        firmware: {
          kernelBoot: { container: {}, kernelArgs: `${guestArgs} ${guest}` },
        },
      },
      volumes,
    };
    const metadata = { namespace: "test", name: "guest", uid: "1", resourceVersion: "1" };
    const vmi = { metadata: { ...metadata, creationTimestamp: "" }, spec } as KubeObject;
    const domain = domainOf(vmi, {
      isBlock: () => false,
      isReplicated: () => isReplicated,
      ...(incoming && { incoming }),
    });
    for (const one of domain.interfaces) one.binding = "user";
    const hostPath = (path: string) =>
      path === "/vm/run" ? run : folders[path.slice("/vm/disks/".length)];
    const disks = await prepareDisks(domain, { hostPath, give: () => {} });
    // QEMU runs here without a container, so it sees what the host sees.
    const text = JSON.stringify(disks).replaceAll("/vm/run", run);
    const seen = text.replaceAll(/\/vm\/disks\/([\w-]+)/g, (_, name) => folders[name]!);
    writeFileSync(join(notes, "disks.json"), seen);
    writeFileSync(join(notes, "network.json"), JSON.stringify({ namespace: "", leases: [] }));
    const launch = {
      ...({ accelerator: "tcg", taps: {}, mtu: 1500, run, kernel } as const),
      disks: JSON.parse(seen),
    };
    const args = qemuArguments(domain, launch, { now: systemClock.now() });
    const tpm = hasTpm ? await startTpm(run, join(folder, "tpm")) : undefined;
    const output = openSync(join(folder, "said"), "a");
    const child = spawn("qemu-system-x86_64", args, { stdio: ["ignore", output, output] });
    closeSync(output);
    const vm = mind({
      ...{ podUid: "1", namespace: "test", podName: "guest", domain, run, inside: run, notes },
      listen: loopback,
      ...{ clock: systemClock, scope: new Scope(), changed: () => {} },
    });
    const started = new QemuVm(child, folder, vm);
    started.#tpm = tpm;
    return started;
  }

  /** What the node answers, where `holders` are the folders of other pods' volumes. */
  answers(holders: Record<string, string> = {}) {
    const volumes = { folder: async (_pod: string, volume: string) => holders[volume]! };
    return vmAnswers(this.vm, { streams: new Streams(), volumes });
  }

  async stop() {
    await this.#scope.close();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, "exit");
      this.child.kill("SIGKILL");
      await ended;
    }
    this.#tpm?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
