// Keeps one device and its twin alike: reads what is due, writes what is to be otherwise, and begins anew with the
// device when it was away. What is desired meanwhile waits in the object.
import { backoffMs } from "../../lib/backoff.ts";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { valueCharsMax } from "../kinds/device-twin.ts";
import type { DeviceTwin, TwinProperty } from "../kinds/device-twin.ts";
import { PropertyRefused, sameValue } from "./channel.ts";
import type { TwinChannel } from "./channel.ts";
import type { Heard } from "./report.ts";

const everySecondsDefault = 10;
const retry = { firstMs: 1000, maxMs: 30_000 };
/** A device that reports by itself has time to say what became of a value. */
const settleMs = 200;

export interface SessionOptions {
  /** As it is now. */
  twin: () => DeviceTwin | undefined;
  open: (signal: AbortSignal) => Promise<TwinChannel>;
  report: (twin: DeviceTwin, heard: Heard) => Promise<void>;
  clock: Clock;
  signal: AbortSignal;
}

export class TwinSession {
  readonly #options: SessionOptions;
  readonly #values = new Map<string, { reported?: string; error?: string }>();
  readonly #readAt = new Map<string, number>();
  #wake = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** The twin changed. */
  wake() {
    this.#wake.abort();
  }

  async run() {
    const { clock, signal } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      const began = clock.monotonic();
      const away = await this.#converse().catch((error: Error) => error.message);
      if (signal.aborted) return;
      failures = clock.monotonic() - began > retry.maxMs ? 1 : failures + 1;
      await this.#report(away ?? "the connection ended");
      await this.#pause(backoffMs(failures, retry), { early: false });
    }
  }

  async #converse(): Promise<string | undefined> {
    const { open, signal } = this.#options;
    const channel = await open(signal);
    let isOver = false;
    void channel.closed?.then(() => {
      isOver = true;
      this.wake();
    });
    try {
      while (!signal.aborted && !isOver) {
        const twin = this.#options.twin();
        if (!twin) return undefined;
        const pauseMs = await this.#round(channel, twin.spec.properties ?? []);
        if (isOver) return undefined;
        await this.#report(undefined);
        await this.#pause(pauseMs, { early: true });
      }
      return undefined;
    } finally {
      channel.close();
    }
  }

  /** Resolves with how long there is nothing to do. */
  async #round(channel: TwinChannel, properties: TwinProperty[]): Promise<number> {
    const { clock } = this.#options;
    let nextMs = everySecondsDefault * 1000;
    for (const property of properties) {
      const { name, desired, mode, intervalSeconds = everySecondsDefault } = property;
      const everyMs = intervalSeconds * 1000;
      const known = this.#values.get(name);
      const isWrong =
        mode === "ReadWrite" && desired !== undefined && !sameValue(known?.reported, desired);
      const due = (this.#readAt.get(name) ?? -Infinity) + everyMs - clock.monotonic();
      if (due <= 0 || isWrong) await this.#exchange(channel, property);
      const still = this.#values.get(name)?.reported;
      const isBehind = isWrong && !sameValue(still, desired);
      nextMs = Math.min(nextMs, isBehind ? Math.min(everyMs, 1000) : due > 0 ? due : everyMs);
    }
    return nextMs;
  }

  async #exchange(channel: TwinChannel, { name, access, mode, desired }: TwinProperty) {
    const { clock } = this.#options;
    const value: { reported?: string; error?: string } = {};
    const read = async () => {
      const reported = await channel.read(access);
      if (reported === undefined) return;
      if (reported.length > valueCharsMax)
        throw new PropertyRefused(`the value is longer than ${valueCharsMax} characters`);
      value.reported = reported;
    };
    try {
      await read();
      if (mode === "ReadWrite" && desired !== undefined && !sameValue(value.reported, desired)) {
        await channel.write(access, desired);
        await sleep(clock, settleMs, this.#options.signal).catch(() => {});
        await read();
      }
    } catch (error) {
      if (!(error instanceof PropertyRefused)) throw error;
      value.error = error.message;
    }
    this.#readAt.set(name, clock.monotonic());
    this.#values.set(name, value);
  }

  async #report(away: string | undefined) {
    const twin = this.#options.twin();
    if (twin) await this.#options.report(twin, { values: this.#values, away }).catch(() => {});
  }

  async #pause(ms: number, { early }: { early: boolean }) {
    const { clock, signal } = this.#options;
    const until = early ? AbortSignal.any([signal, this.#wake.signal]) : signal;
    await sleep(clock, ms, until).catch(() => {});
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }
}
