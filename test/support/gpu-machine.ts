// A machine with an NVIDIA card, as its driver's files make one: a mount namespace whose /proc, /dev and libraries
// have what the driver adds. The card's nodes have NVIDIA's own numbers, and no driver answers them.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { atInterrupt } from "./interrupt.ts";

export interface Card {
  address: string;
  uuid: string;
  mib: number;
}

const libraries =
  process.arch === "arm64" ? "/usr/lib/aarch64-linux-gnu" : "/usr/lib/x86_64-linux-gnu";

/** What nvidia-smi prints when it is asked for addresses, UUIDs and memory, and for the list of cards. */
const nvidiaSmi = (cards: Card[]) => `#!/bin/sh
case "$1" in
--query-gpu=pci.bus_id,uuid,memory.total)
${cards.map(({ address, uuid, mib }) => `  echo "0000${address}, ${uuid}, ${mib}"`).join("\n")} ;;
-L)
${cards.map(({ uuid }, i) => `  echo "GPU ${i}: NVIDIA H200 (UUID: ${uuid})"`).join("\n")} ;;
*) exit 1 ;;
esac
`;

const cardFiles = ({ address, uuid }: Card, minor: number) => `
mkdir -p /proc/driver/nvidia/gpus/${address}
printf 'Model: \\t\\t NVIDIA H200\\nGPU UUID: \\t %s\\nBus Location: \\t %s\\nDevice Minor: \\t %s\\nGPU Excluded:\\t No\\n' \\
  ${uuid} ${address} ${minor} > /proc/driver/nvidia/gpus/${address}/information
mknod -m 666 /dev/nvidia${minor} c 195 ${minor}
`;

/** Layers over what the machine has, so that nothing of it changes for others. */
const layer = (path: string, name: string) => `
mkdir -p $1/${name}-new $1/${name}-work
mount -t overlay overlay -o lowerdir=${path},upperdir=$1/${name}-new,workdir=$1/${name}-work ${path}
`;

const script = (cards: Card[]) => `
set -e
mkdir $1/pts
mount --rbind /dev/pts $1/pts
${layer("/dev", "dev")}
mount --rbind $1/pts /dev/pts
${layer("/usr/bin", "bin")}
${layer(libraries, "lib")}
mount -t tmpfs tmpfs /proc/driver
# What it has of its own is not seen here.
rm -f /dev/nvidia* /usr/bin/nvidia-* ${libraries}/libcuda.so* ${libraries}/libnvidia-*
${cards.map(cardFiles).join("")}
mknod -m 666 /dev/nvidiactl c 195 255
mknod -m 666 /dev/nvidia-uvm c 511 0
echo cuda > ${libraries}/libcuda.so.570.86.15
ln -s libcuda.so.570.86.15 ${libraries}/libcuda.so.1
cat > /usr/bin/nvidia-smi
chmod 755 /usr/bin/nvidia-smi
echo ready
exec sleep infinity
`;

export class GpuMachine {
  readonly #directory = mkdtempSync(join(tmpdir(), "kerb-gpu-"));
  #holder: ChildProcess | undefined;
  #forget = () => {};

  async start(cards: Card[]) {
    const args = ["--mount", "sh", "-c", script(cards), "sh", this.#directory];
    // In a group of its own: an interrupt must not end it before the site in it.
    const stdio: ["pipe", "pipe", "inherit"] = ["pipe", "pipe", "inherit"];
    const holder = spawn("unshare", args, { stdio, detached: true });
    this.#holder = holder;
    this.#forget = atInterrupt(() => this.remove());
    holder.stdin.end(nvidiaSmi(cards));
    await once(holder.stdout, "data");
  }

  /** Before a command, which then sees this machine. */
  get inside() {
    return ["nsenter", `--mount=/proc/${this.#holder!.pid}/ns/mnt`];
  }

  async run(...command: string[]) {
    const [enter, ...rest] = [...this.inside, ...command] as [string, ...string[]];
    return run(enter, rest);
  }

  async remove() {
    this.#forget();
    const ended = once(this.#holder!, "exit");
    this.#holder!.kill();
    await ended;
    rmSync(this.#directory, { recursive: true });
  }
}
