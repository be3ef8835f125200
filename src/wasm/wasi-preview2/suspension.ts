// How a guest waits. JavaScript cannot wait, but WebAssembly can be suspended while it calls: those imports that
// may wait do so before their work, and only when there is something to wait for, since a suspension costs more
// than most calls. jco makes the imports; what is added to its script (suspended-script.ts) lets them wait.
import { WebAssembly } from "../web-assembly.ts";
import { Pollable, waitFor } from "./poll.ts";
import { InputStream, OutputStream } from "./streams.ts";
import type { WaitingCall } from "./waiting-calls.ts";

type Call = (...words: any[]) => unknown;

/** What the script knows of a call: its resources by their handles, and the guest's memory. */
interface Lookup {
  resources: ((handle: number) => unknown)[];
  word?: (address: number) => number;
}

const wordBytes = 4;
const room = (found: unknown) =>
  found instanceof OutputStream ? waitFor([found.subscribe()]) : undefined;
const bytes = (found: unknown) =>
  found instanceof InputStream ? waitFor([found.subscribe()]) : undefined;

/** By the method's name: what it waits for, undefined where nothing is left to wait for. */
const waits: Record<WaitingCall, (words: number[], lookup: Lookup) => Promise<void> | undefined> = {
  block: ([self], { resources }) => {
    const found = resources[0]!(self!);
    return found instanceof Pollable ? waitFor([found]) : undefined;
  },
  poll([at = 0, count = 0], { resources, word }) {
    const found = Array.from({ length: count >>> 0 }, (_, i) =>
      resources[0]!(word!((at >>> 0) + i * wordBytes)),
    );
    return waitFor(found.filter((one) => one instanceof Pollable));
  },
  blockingRead: ([self], { resources }) => bytes(resources[0]!(self!)),
  blockingSkip: ([self], { resources }) => bytes(resources[0]!(self!)),
  blockingWriteAndFlush: ([self], { resources }) => room(resources[0]!(self!)),
  blockingWriteZeroesAndFlush: ([self], { resources }) => room(resources[0]!(self!)),
  blockingFlush([self], { resources }) {
    const found = resources[0]!(self!);
    return found instanceof OutputStream ? waitFor([found.drained()]) : undefined;
  },
  blockingSplice([self, from], { resources }) {
    const waiting = [room(resources[0]!(self!)), bytes((resources[1] ?? resources[0])!(from!))];
    const left = waiting.filter((one) => one !== undefined);
    return left.length > 0 ? Promise.all(left).then(() => {}) : undefined;
  },
};

/** `call` as an import that waits before. */
export function suspending(call: Call, method: WaitingCall, lookup: Lookup): object {
  const wait = waits[method];
  return new WebAssembly.Suspending((...words: any[]) => {
    const waiting = wait(words, lookup);
    return waiting ? waiting.then(() => call(...words)) : call(...words);
  });
}
