// A VM whose guest writes to a replicated volume, and what became of all that it was told to be written.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { guestArgs, guestImage, guestPaths, untilGuest } from "./guest.ts";
import { podProcesses } from "./qemu-process.ts";
import type { Site } from "./site.ts";

const [blockBytes, blocks] = [512, 1000];

export const replicatedClaim = (name: string, storageClassName: string) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name },
  spec: {
    storageClassName,
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: "16Mi" } },
  },
});

/** `nodes`: the liked ones, the most liked first. */
export const writingMachine = (name: string, claim: string, nodes: string[]) => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { name },
  spec: {
    runStrategy: "Always",
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 20,
        domain: {
          memory: { guest: "112Mi" },
          devices: { disks: [{ name: "data", disk: { bus: "virtio" } }] },
          firmware: {
            kernelBoot: {
              kernelArgs: `${guestArgs} run=write`,
              container: {
                image: guestImage,
                kernelPath: guestPaths.kernel,
                initrdPath: guestPaths.initrd,
              },
            },
          },
        },
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: nodes.map((node, i) => ({
              weight: 100 - 40 * i,
              preference: {
                matchFields: [{ key: "metadata.name", operator: "In", values: [node] }],
              },
            })),
          },
        },
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
      },
    },
  },
});

const fileOf = (path: string) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

export class ReplicatedWriter {
  readonly name: string;
  readonly claim: string;
  readonly #site: Site;
  /** Data folders, by node. */
  readonly #folders: Record<string, string>;
  #volume = "";

  constructor(
    { name, claim }: { name: string; claim: string },
    site: Site,
    folders: Record<string, string>,
  ) {
    this.name = name;
    this.claim = claim;
    this.#site = site;
    this.#folders = folders;
  }

  get volume() {
    return this.#volume;
  }

  /** The claim has its volume, and each copy its pod. */
  async untilKept(copies: number) {
    const site = this.#site;
    await untilGuest(async () => {
      const { spec, status } = await site.get("pvc", this.claim);
      this.#volume = spec.volumeName;
      return status?.phase === "Bound";
    }, "the claim");
    await eventually(async () => {
      const label = `vms.kerb.dev/replica-of=${this.#volume}`;
      const { items } = await site.get("pods", "-l", label);
      return (
        items.length === copies && items.every(({ status }: any) => status.phase === "Running")
      );
    }, "the copies' pods");
  }

  /** What the guest said on a node, through all of its pods there. */
  said(node: string): string {
    const logs = join(this.#folders[node]!, "logs");
    return readdirSync(logs)
      .filter((folder) => folder.includes(`virt-launcher-${this.name}-`))
      .map((folder) => fileOf(join(logs, folder, "compute/0.log")))
      .join("\n");
  }

  #numbers = (node: string, word: string) =>
    [...this.said(node).matchAll(new RegExp(`GUEST ${word} (\\d+)`, "g"))].map(([, n]) =>
      Number(n),
    );
  written = (node: string) => this.#numbers(node, "wrote").sort((a, b) => a - b);
  /** The newest number on its disk, at each start. */
  found = (node: string) => this.#numbers(node, "found");

  async #tell(error: Error): Promise<never> {
    throw new Error(`${error.message}\n${await this.why()}`);
  }

  async untilWrites(node: string) {
    const before = this.written(node).length;
    const isMore = async () => this.written(node).length > before + 10;
    await untilGuest(isMore, `writes on ${node}`).catch((error) => this.#tell(error));
  }

  /** It starts on the node once more than `before` times, with all that was acknowledged. */
  async untilFound(node: string, before: number) {
    const isMore = async () => this.found(node).length > before;
    await untilGuest(isMore, `the guest on ${node}`).catch((error) => this.#tell(error));
    return this.found(node).at(-1)!;
  }

  disk = (node: string) => join(this.#folders[node]!, "volumes", this.#volume, "disk.img");

  /** What was acknowledged to the guest anywhere, and is not in the copy on a node. */
  lost(node: string): number[] {
    const all = Object.keys(this.#folders).flatMap((one) => this.written(one));
    const newest = new Map(all.sort((a, b) => a - b).map((n) => [n % blocks, n]));
    const data = readFileSync(this.disk(node));
    return [...newest].flatMap(([at, n]) => {
      const text = data.toString("latin1", at * blockBytes, (at + 1) * blockBytes);
      const [, line = "", sum] = /^(\d{8}) ([0-9a-f]{8})/.exec(text) ?? [];
      const right = createHash("md5").update(line).digest("hex").slice(0, 8);
      return sum === right && Number(line) >= n ? [] : [n];
    });
  }

  record = async () => (await this.#site.get("replicatedvolumes", this.#volume)).status;

  async why() {
    const seen = await this.#site.kubectl(["get", "events,pods", "-o", "wide"]);
    return `${JSON.stringify(await this.record())}\n${seen}`;
  }

  untilCurrent(...nodes: string[]) {
    const isSo = async () => {
      const { current } = await this.record();
      return current.split(",").sort().join() === nodes.join();
    };
    return untilGuest(isSo, `current: ${nodes.join()}`).catch((error) => this.#tell(error));
  }

  vmi = () => this.#site.get("vmi", this.name);

  /** Ends QEMU's programs of a node, as a power cut does. */
  cutPower(node: string, program = /qemu-system|qemu-storage-daemon/) {
    for (const pid of podProcesses(this.#folders[node]!, (words) => program.test(words))) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended.
      }
    }
  }
}
