// A second machine: a network namespace with one cable to this one. The file system is shared, so what runs
// there keeps its data in a folder of its own.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { run, runToEnd } from "./command.ts";
import { eventually } from "./eventually.ts";
import { atInterrupt } from "./interrupt.ts";
import { kerb } from "./site.ts";

let machines = 0;

const textOf = (path: string) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** Containers, their shims and containerd, and then the groups they were in. */
async function endProcesses(directory: string, cgroup: string) {
  const all = () =>
    readdirSync("/proc").filter(
      (pid) =>
        /^\d+$/.test(pid) &&
        (textOf(`/proc/${pid}/cmdline`).includes(directory) ||
          textOf(`/proc/${pid}/cgroup`).includes(`/${cgroup}/`)),
    );
  for (let pids = all(); pids.length > 0; pids = all()) {
    for (const pid of pids) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // It ended with another.
      }
    }
    await setTimeout(100);
  }
  const { stdout } = await runToEnd("find", [
    ...["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*/${cgroup}`],
    ...["-o", "-depth", "-type", "d", "-path", `*/${cgroup}/*`],
  ]);
  for (const path of stdout.split("\n").filter(Boolean)) rmdirSync(path);
}

const mountsBelow = (directory: string) =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${directory}/`))
    .toReversed();

const idsMax = 4800;

/** Of this process alone; one that another run has, or left behind, is passed over. */
function freeId(): number {
  for (let tries = 0; tries < idsMax; tries++) {
    const id = (process.pid * 10 + machines++) % idsMax;
    if (!existsSync(`/run/netns/kerbm${id}`)) return id;
  }
  throw new Error("there are too many machines; see: ip netns");
}

export class Machine {
  readonly name: string;
  readonly directory = mkdtempSync(join(tmpdir(), "kerb-machine-"));
  /** This machine's end of the cable. */
  readonly hostAddress: string;
  readonly address: string;
  /** Both ends in IPv6, after `addIpv6`. */
  readonly hostAddress6: string;
  readonly address6: string;
  readonly #cable: string;
  #node: ChildProcess | undefined;
  #said = "";
  #forget = () => {};
  #removing: Promise<void> | undefined;

  constructor() {
    const id = freeId();
    this.name = `kerbm${id}`;
    this.#cable = `kbm${id}`;
    // Four addresses for each, of 192.168.180.0 and up: tests of several checkouts share a machine.
    const [network, first] = [180 + Math.floor(id / 64), (id % 64) * 4];
    this.hostAddress = `192.168.${network}.${first + 1}`;
    this.address = `192.168.${network}.${first + 2}`;
    this.hostAddress6 = `fd4b:0:${id.toString(16)}::1`;
    this.address6 = this.hostAddress6.replace(/1$/, "2");
  }

  async start() {
    const ip = (...args: string[]) => run("ip", args);
    this.#forget();
    this.#forget = atInterrupt(() => this.remove());
    await ip("netns", "add", this.name);
    await ip(
      "link",
      "add",
      this.#cable,
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      this.name,
    );
    await ip("address", "add", `${this.hostAddress}/30`, "dev", this.#cable);
    await ip("link", "set", this.#cable, "up");
    for (const link of ["lo", "eth0"]) await ip("-n", this.name, "link", "set", link, "up");
    await ip("-n", this.name, "address", "add", `${this.address}/30`, "dev", "eth0");
    await ip("-n", this.name, "route", "add", "default", "via", this.hostAddress);
  }

  async addIpv6() {
    const inside = ["-n", this.name, "-6"];
    const add = (address: string, dev: string) => [
      "address",
      "add",
      `${address}/64`,
      "dev",
      dev,
      "nodad",
    ];
    await run("ip", ["-6", ...add(this.hostAddress6, this.#cable)]);
    await run("ip", [...inside, ...add(this.address6, "eth0")]);
    await run("ip", [...inside, "route", "add", "default", "via", this.hostAddress6]);
  }

  /** Pulls the cable, or plugs it in again. */
  async plug(isIn: boolean) {
    await run("ip", ["link", "set", this.#cable, isIn ? "up" : "down"]);
  }

  /** Its cable leads to another machine, by which this one reaches it. */
  async plugInto(other: Machine) {
    await run("ip", ["link", "set", this.#cable, "netns", other.name]);
    await other.run("ip", "address", "add", `${this.hostAddress}/30`, "dev", this.#cable);
    await other.run("ip", "link", "set", this.#cable, "up");
    await run("ip", ["route", "add", this.address, "via", other.address]);
  }

  /** Mounts stay as they are, as containers need those of cgroups. */
  #inside(...command: string[]): [string, string[]] {
    return ["nsenter", [`--net=/var/run/netns/${this.name}`, ...command]];
  }

  run(...command: string[]) {
    return run(...this.#inside(...command));
  }

  kerb(...args: string[]) {
    return this.run(kerb, ...args, "--data-dir", this.directory);
  }

  /** Runs `kerb join` until `kill` or `remove`; resolves when the node is up. */
  async join(...args: string[]) {
    const [command, all] = this.#inside(kerb, "join", ...args, "--data-dir", this.directory);
    const node = spawn(command, all, { stdio: ["ignore", "pipe", "pipe"] });
    this.#node = node;
    this.#said = "";
    const hear = (text: Buffer) => (this.#said += text.toString());
    node.stdout.on("data", hear);
    node.stderr.on("data", hear);
    // With all that it said, not only its end.
    let isOver = false;
    node.once("close", () => (isOver = true));
    const isUp = async () => isOver || /Node \S+ of \S+ is up/.test(this.#said);
    await eventually(isUp, "the node").catch((error: Error) => {
      throw new Error(`${error.message}: ${this.#said}`);
    });
    if (isOver) throw new Error(`kerb join: ${this.#said}`);
  }

  get said() {
    return this.#said;
  }

  async kill() {
    const node = this.#node!;
    this.#node = undefined;
    // A release that was broken ended by itself.
    if (node.exitCode !== null || node.signalCode !== null) return;
    const ended = once(node, "exit");
    node.kill("SIGKILL");
    await ended;
  }

  /** What a power cut takes: every process, mount, cgroup, interface and rule. Its disk and its cable stay as they are. */
  async reboot({ isPlugged }: { isPlugged: boolean }) {
    if (this.#node) await this.kill();
    const { slot } = JSON.parse(readFileSync(join(this.directory, "site.json"), "utf8"));
    const { podCidr } = JSON.parse(readFileSync(join(this.directory, "addresses.json"), "utf8"));
    await endProcesses(this.directory, `kerb${slot}`);
    for (const name of readdirSync("/run/netns").filter((one) => one.startsWith("cni-"))) {
      const { stdout } = await runToEnd("ip", ["-n", name, "-4", "-o", "address"]);
      const isOurs = stdout.includes(` ${podCidr.replace(/0\/\d+$/, "")}`);
      if (isOurs) await run("ip", ["netns", "delete", name]);
    }
    for (const path of mountsBelow(this.directory)) await runToEnd("umount", ["--lazy", path]);
    await run("ip", ["netns", "delete", this.name]);
    // The cable's end here goes with the other, a moment later.
    await runToEnd("ip", ["link", "delete", this.#cable]);
    await this.start();
    await this.plug(isPlugged);
  }

  remove(): Promise<void> {
    this.#removing ??= this.#remove().finally(() => {
      this.#removing = undefined;
      this.#forget();
    });
    return this.#removing;
  }

  async #remove() {
    if (this.#node) await this.kill();
    await this.kerb("down", "--grace-period=0");
    await run("ip", ["netns", "delete", this.name]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
