// The networks of pods, as whoever makes them for all of a machine's pods offers them.
import type { Duplex } from "node:stream";

export interface Networks {
  /** An empty namespace; resolves with its path. */
  make(id: string): Promise<string>;
  /** Gives it its addresses: those that are wished for where they are free. */
  connect(id: string, pod: { podUid: string; addresses?: string[] }): Promise<string[]>;
  /** Idempotent. */
  remove(id: string): Promise<void>;
  dial(netns: string, port: number): Promise<Duplex>;
}
