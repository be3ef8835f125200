// WASI preview 1 (wasi_snapshot_preview1, 46 calls) of our own: node:wasi follows links out of what it
// was given, and cannot be ended while it sleeps. One file per group of calls.
import { Directory } from "../files/directory.ts";
import { OpenFile } from "../files/open-file.ts";
import { argumentCalls } from "./arguments.ts";
import { clockCalls } from "./clocks.ts";
import { Descriptors } from "./descriptors.ts";
import { directoryCalls } from "./directories.ts";
import { errno, errnoOf } from "./errno.ts";
import { fileCalls } from "./files.ts";
import type { Call, Calls, Host, HostOptions } from "./guest.ts";
import { GuestMemory } from "./guest-memory.ts";
import { pathCalls } from "./paths.ts";
import { pollCalls } from "./poll.ts";
import { processCalls } from "./process.ts";
import { socketCalls } from "./sockets.ts";
import { statCalls } from "./stats.ts";

/** A call answers errno: 0 for whatever returns nothing. */
const answering =
  (call: Call): Call =>
  (...args) => {
    try {
      return call(...args) ?? errno["SUCCESS"]!;
    } catch (error) {
      return errnoOf(error);
    }
  };

const streams = [
  { readable: true, writable: false, isStream: true },
  { readable: false, writable: true, isStream: true },
  { readable: false, writable: true, isStream: true },
];

/** Names that a guest's libc is told; later ones come first when a path is looked for. */
function descriptorsOf({ preopens, output }: HostOptions): Descriptors {
  const descriptors = new Descriptors();
  for (const [fd, mode] of streams.entries()) {
    const file = output && mode.writable ? output(fd) : new OpenFile(fd, mode);
    descriptors.set(fd, { file });
  }
  for (const { guest, host, ...limits } of preopens) {
    const fd = descriptors.add(() => Directory.at(host, limits));
    descriptors.get(fd).preopen = guest;
  }
  return descriptors;
}

export interface Preview1 {
  imports: Calls;
  memory: GuestMemory;
  /** To be told before the guest starts. */
  useMemory(memory: { buffer: ArrayBuffer }): void;
}

export function preview1(options: HostOptions): Preview1 {
  let memory: { buffer: ArrayBuffer } = { buffer: new ArrayBuffer(0) };
  const host: Host = {
    ...options,
    memory: new GuestMemory(() => memory),
    descriptors: descriptorsOf(options),
  };
  const groups = [
    argumentCalls,
    clockCalls,
    fileCalls,
    statCalls,
    directoryCalls,
    pathCalls,
    pollCalls,
    processCalls,
    socketCalls,
  ];
  const all = groups.flatMap((group) => Object.entries(group(host)));
  return {
    imports: Object.fromEntries(all.map(([name, call]) => [name, answering(call)])),
    memory: host.memory,
    useMemory: (given) => void (memory = given),
  };
}
