// One VM that runs on this node: its monitors, its agent, and what is known of it. It is found again after a
// restart of Kerb by nothing but the sockets in its pod's folder; if a connection breaks while the pod runs, it
// is made again.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Domain } from "../domain.ts";
import type { Lease } from "../prepare/network-plan.ts";
import type { PreparedDisk } from "../qemu/launch.ts";
import { socketNames } from "../qemu/launch.ts";
import { GuestAgent } from "./guest-agent.ts";
import { Qmp } from "./qmp.ts";
import type { QmpEvent } from "./qmp.ts";
import { dialIn } from "./sockets.ts";

const reconnectMs = 200;
/** Why a guest stopped. */
export const noSpace = "no space left for a disk";

export interface VmOptions {
  podUid: string;
  namespace: string;
  /** Of the launcher pod. */
  podName: string;
  domain: Domain;
  /** The host's folder of the sockets. */
  run: string;
  /** The same folder as QEMU sees it. */
  inside: string;
  /** Kerb's own notes about the VM. */
  notes: string;
  /** Where a live migration that arrives is waited for; default: every address of the pod. */
  listen?: string;
  clock: Clock;
  scope: Scope;
  /** Told of every event and of coming and going. */
  changed: () => void;
}

export interface NetworkNotes {
  namespace: string;
  leases: Lease[];
}

export class Vm {
  readonly options: VmOptions;
  readonly domain: Domain;
  #qmp: Qmp | undefined;
  #urgent: Qmp | undefined;
  #agent: GuestAgent | undefined;
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #connected = new Set<() => unknown>();
  /** As QEMU says it: running, paused, inmigrate ...; "" before it answers. */
  status = "";
  agentConnected = false;
  /** Of the pod. */
  addresses: string[] = [];
  /** Why the guest stopped by itself. */
  stopReason = "";
  /** Set while a live migration leaves from here, so that its end is no end of the guest. */
  migratedAway = false;
  frozen = false;
  /** Somebody asked for a reboot that the guest has yet to do. */
  rebootAsked = false;
  /** QEMU stops the guest for as long as it reads its memory. */
  dumping = false;

  constructor(options: VmOptions) {
    this.options = options;
    this.domain = options.domain;
    void this.#keep();
  }

  /** The monitor for commands; rejects while QEMU does not answer. */
  get qmp(): Qmp {
    if (this.#qmp) return this.#qmp;
    throw new StatusError("Conflict", `VMI ${this.domain.name} is not running`);
  }

  /** For timers and listeners: nobody waits for the answer, and where QEMU is gone there is nothing to say. */
  tell(command: string, args?: object) {
    void this.#qmp?.execute(command, args).catch(() => {});
  }

  /** The monitor that answers even while QEMU waits for a disk, for `urge`. */
  get urgent(): Qmp {
    if (this.#urgent) return this.#urgent;
    throw new StatusError("Conflict", `VMI ${this.domain.name} is not running`);
  }

  /** What was prepared when it started. */
  async disks(): Promise<PreparedDisk[]> {
    return JSON.parse(await readFile(join(this.options.notes, "disks.json"), "utf8"));
  }

  async network(): Promise<NetworkNotes> {
    return JSON.parse(await readFile(join(this.options.notes, "network.json"), "utf8"));
  }

  onEvent(listener: (event: QmpEvent) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Each time that the monitors are there and its status is known. */
  onConnect(listener: () => unknown) {
    this.#connected.add(listener);
  }

  async agent(): Promise<GuestAgent> {
    if (!this.agentConnected) {
      throw new StatusError("BadRequest", "the guest agent is not connected");
    }
    if (this.#agent && !this.#agent.closed) return this.#agent;
    const stream = await dialIn(this.options.run, socketNames.agent);
    this.#agent = new GuestAgent(stream, this.options.clock);
    return this.#agent;
  }

  /** Connects, and connects again. */
  async #keep() {
    const { scope, clock, run, changed } = this.options;
    scope.defer(() => this.#close());
    while (!scope.closed) {
      try {
        const events = await Qmp.open(await dialIn(run, socketNames.events), { oob: true });
        this.#urgent = events;
        events.onEvent((event) => this.#hear(event));
        this.#qmp = await Qmp.open(await dialIn(run, socketNames.control));
        await this.#look();
        for (const tell of this.#connected) await tell();
        changed();
        await Promise.race([events.closed, this.#qmp.closed]);
        events.close();
        this.#close();
        this.status = "";
        changed();
      } catch {
        // Not there yet, or no more.
      }
      await sleep(clock, reconnectMs, scope.signal).catch(() => {});
    }
  }

  async #look() {
    const { status } = await this.qmp.execute("query-status");
    this.status = status;
    if (status === "io-error") this.stopReason ||= await this.#errorOfDisks();
    const devices: any[] = await this.qmp.execute("query-chardev");
    const agent = devices.find(({ label }) => label === socketNames.agent);
    this.agentConnected = agent?.["frontend-open"] === true;
  }

  /** Of a guest that stopped while nobody listened. */
  async #errorOfDisks(): Promise<string> {
    const devices: any[] = await this.qmp.execute("query-block");
    const isFull = devices.some((one) => one["io-status"] === "nospace");
    return isFull ? noSpace : "a disk failed";
  }

  #hear(event: QmpEvent) {
    const { data = {} } = event;
    // A guest that stands still to go on elsewhere is not paused.
    const standsStill = (this.migratedAway && !this.stopReason) || this.dumping;
    if (event.event === "STOP" && !standsStill) this.status = "paused";
    if (event.event === "RESUME") {
      this.status = "running";
      this.stopReason = "";
    }
    if (event.event === "BLOCK_IO_ERROR" && data.action === "stop") {
      this.stopReason = data.nospace ? noSpace : String(data.reason);
    }
    if (event.event === "VSERPORT_CHANGE" && data.id === "agent") {
      this.agentConnected = data.open === true;
      if (!this.agentConnected) this.#agent?.close();
    }
    for (const listener of this.#listeners) listener(event);
    this.options.changed();
  }

  #close() {
    this.#qmp?.close();
    this.#qmp = undefined;
    this.#urgent = undefined;
    this.#agent?.close();
  }
}
