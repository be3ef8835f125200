// QEMU's monitor protocol: commands with answers in their order, and events.
import type { Duplex } from "node:stream";
import { StatusError } from "../../lib/status-error.ts";
import { hearLines } from "./json-lines.ts";

export interface QmpEvent {
  event: string;
  data?: any;
}

interface Waiting {
  resolve: (value: any) => void;
  reject: (error: Error) => void;
}

/** What QEMU refuses is a BadRequest in QEMU's own words. */
export const refusedByQemu = (description: string) => new StatusError("BadRequest", description);

export class Qmp {
  readonly #stream: Duplex;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #next = 1;
  /** Resolves when the other end is gone. */
  readonly closed: Promise<void>;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    hearLines(stream, (message) => this.#hear(message));
    stream.on("error", () => {});
    this.closed = new Promise((resolve) => {
      stream.once("close", () => {
        const gone = new StatusError("ServiceUnavailable", "the virtual machine is gone");
        for (const { reject } of this.#waiting.values()) reject(gone);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** Resolves once the monitor takes commands; with `oob`, `urge` as well. */
  static async open(stream: Duplex, { oob = false } = {}): Promise<Qmp> {
    const qmp = new Qmp(stream);
    await qmp.execute("qmp_capabilities", oob ? { enable: ["oob"] } : {});
    return qmp;
  }

  #hear(message: any) {
    if (message.event) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    if (message.error) waiting.reject(refusedByQemu(message.error.desc));
    else waiting.resolve(message.return);
  }

  execute(command: string, args: object = {}): Promise<any> {
    return this.#send("execute", command, args);
  }

  /** Done at once, whatever QEMU waits for. Few commands know it. */
  urge(command: string, args: object = {}): Promise<any> {
    return this.#send("exec-oob", command, args);
  }

  #send(how: "execute" | "exec-oob", command: string, args: object): Promise<any> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#stream.destroyed) {
        reject(new StatusError("ServiceUnavailable", "the virtual machine is gone"));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#stream.write(`${JSON.stringify({ [how]: command, arguments: args, id })}\n`);
    });
  }

  onEvent(listener: (event: QmpEvent) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close() {
    this.#stream.destroy();
  }
}
