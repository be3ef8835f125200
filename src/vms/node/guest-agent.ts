// The guest's agent (QEMU's protocol over virtio-serial). A guest without one, or a hostile one, answers late,
// never or nonsense: every question has an end, and answers are taken apart with care.
import type { Duplex } from "node:stream";
import type { Clock } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import { hearLines } from "./json-lines.ts";

const answerMsMax = 5000;

const noAgent = () => new StatusError("BadRequest", "the guest agent is not connected");

interface Waiting {
  resolve: (value: any) => void;
  reject: (error: Error) => void;
  /** The only answer that counts: that of a sync. */
  only?: number;
}

interface Question {
  command: string;
  args?: object;
  timeoutMs: number;
  only?: number;
}

/** One question at a time, as the protocol has no numbers but those of a sync. */
export class GuestAgent {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  #waiting: Waiting | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #syncs = 1;

  constructor(stream: Duplex, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    hearLines(stream, (message) => {
      const waiting = this.#waiting;
      if (waiting?.only !== undefined && message.return !== waiting.only) return;
      this.#waiting = undefined;
      if (message.error) {
        waiting?.reject(new StatusError("BadRequest", String(message.error.desc)));
      } else waiting?.resolve(message.return);
    });
    stream.on("error", () => {});
    stream.once("close", () => this.#waiting?.reject(noAgent()));
  }

  get closed() {
    return this.#stream.destroyed;
  }

  #ask({ command, args, timeoutMs, only }: Question): Promise<any> {
    if (this.#stream.destroyed) return Promise.reject(noAgent());
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () => {
        this.#waiting = undefined;
        reject(noAgent());
      });
      this.#waiting = {
        resolve: (value) => (cancel(), resolve(value)),
        reject: (error) => (cancel(), reject(error)),
        ...(only !== undefined && { only }),
      };
      const message = { execute: command, ...(args && { arguments: args }) };
      this.#stream.write(`${JSON.stringify(message)}\n`);
    });
  }

  /**
   * What the agent had begun to read is ended by a byte that is no JSON; its complaint about that, and late
   * answers to older questions, are passed over.
   */
  async #synced(timeoutMs: number) {
    const id = this.#syncs++;
    this.#stream.write(Buffer.from([0xff]));
    await this.#ask({ command: "guest-sync-delimited", args: { id }, timeoutMs, only: id });
  }

  execute(command: string, args?: object, timeoutMs = answerMsMax): Promise<any> {
    const run = this.#turn.then(async () => {
      await this.#synced(timeoutMs);
      return this.#ask({ command, ...(args && { args }), timeoutMs });
    });
    this.#turn = run.catch(() => {});
    return run;
  }

  /** For commands that answer only when they fail, as a reboot. */
  tell(command: string, args?: object): Promise<void> {
    const run = this.#turn.then(async () => {
      await this.#synced(answerMsMax);
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: args ?? {} })}\n`);
    });
    this.#turn = run.catch(() => {});
    return run;
  }

  close() {
    this.#stream.destroy();
  }
}
