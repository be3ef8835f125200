// Calls to an etcd of several members. A call goes to the member that answered last; a member that does not
// answer is left for the next one. Reads are linearizable and repeated as they like; whether a write may be
// repeated is its caller's to know.
import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { backoffMs } from "../../lib/backoff.ts";
import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { GrpcConnection, isGrpc } from "../../lib/grpc.ts";
import type { GrpcService, GrpcTls } from "../../lib/grpc.ts";
import { StoreFull, StoreUnavailable } from "../store.ts";
import type { EtcdAddress } from "./address.ts";
import { etcdTypes } from "./protocol.ts";
import type { EtcdEvent, EtcdKeyValue } from "./protocol.ts";

/** How long one member may take for one call. */
const callTimeoutMs = 4000;
/** How long all tries of a call together may take: above etcd's election of a new leader. */
export const callPatienceMs = 12_000;
/** Writes on their way at once; more would wait at etcd, where their time already runs. */
const writesMax = 256;
const retry = { firstMs: 20, maxMs: 1000 };
/** Entries of a page may have 1.5 MiB each. */
const messageBytesMax = 512 * 2 ** 20;

export interface Txn {
  succeeded: boolean;
  revision: number;
  /** What the first range of the branch taken found. */
  found: EtcdKeyValue | undefined;
}

interface Member {
  connection: GrpcConnection;
  kv: GrpcService;
  watch: GrpcService;
}

const watchNames: Record<string, [string, string]> = { Watch: ["WatchRequest", "WatchResponse"] };

function memberAt(endpoint: string, tls: GrpcTls | undefined): Member {
  const connection = new GrpcConnection(endpoint, { messageBytesMax, ...(tls && { tls }) });
  return {
    connection,
    kv: connection.service("/etcdserverpb.KV", etcdTypes),
    // A member that has lost its leader ends its watches instead of falling silent.
    watch: connection.service("/etcdserverpb.Watch", etcdTypes, watchNames, { hasleader: "true" }),
  };
}

/** The member, or the leader behind it, is not there; another try may find one. */
const isPassing = (error: unknown) =>
  isGrpc(error, "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL");

const isNoSpace = (error: any) =>
  error?.code === status.RESOURCE_EXHAUSTED && /space exceeded/.test(error.message);

function tlsOf({ tls }: EtcdAddress): GrpcTls | undefined {
  if (!tls) return undefined;
  const files = Object.entries({ ca: tls.cacert, cert: tls.cert, key: tls.key });
  const given = files.filter(([, file]) => file !== undefined);
  return Object.fromEntries(given.map(([name, file]) => [name, readFileSync(file!)]));
}

/** Throws when a file of its TLS cannot be read; connects with the first call. */
export function openEtcdClient(address: EtcdAddress, clock: Clock): EtcdClient {
  const tls = tlsOf(address);
  return new EtcdClient(address.endpoints, { clock, ...(tls && { tls }) });
}

export class EtcdClient {
  readonly #members: Member[];
  readonly #clock: Clock;
  readonly #where: string;
  readonly #waiting: (() => void)[] = [];
  #writing = 0;
  #current = 0;
  #closed = false;

  constructor(endpoints: string[], { clock, tls }: { clock: Clock; tls?: GrpcTls }) {
    this.#members = endpoints.map((endpoint) => memberAt(endpoint, tls));
    this.#clock = clock;
    this.#where = endpoints.join(", ");
  }

  async range(request: {
    key: Buffer;
    rangeEnd?: Buffer;
    limit?: number;
    revision?: number;
  }): Promise<{ kvs: EtcdKeyValue[]; more: boolean; revision: number }> {
    const answer = await this.#call("Range", request);
    return { kvs: answer.kvs, more: answer.more, revision: answer.header.revision };
  }

  /** `onDoubt` is told before a try that follows one whose end nobody knows. */
  async txn(request: object, onDoubt: () => void): Promise<Txn> {
    if (this.#writing >= writesMax) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#writing += 1;
    try {
      return await this.#txn(request, onDoubt);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#writing -= 1;
    }
  }

  async #txn(request: object, onDoubt: () => void): Promise<Txn> {
    const { succeeded, header, responses } = await this.#call("Txn", request, onDoubt);
    const found = responses.find((one: any) => one.responseRange)?.responseRange.kvs[0];
    return { succeeded, revision: header.revision, found };
  }

  async put(key: Buffer, value: Buffer) {
    await this.#call("Put", { key, value });
  }

  /** What is compacted already stays so. */
  async compact(revision: number) {
    await this.#call("Compact", { revision }).catch((error: unknown) => {
      if (!isGrpc(error, "OUT_OF_RANGE")) throw error;
    });
  }

  /** Events from `startRevision` on, whole responses at a time. Ends or throws when the member is lost. */
  async *watch(
    request: { key: Buffer; rangeEnd: Buffer; startRevision: number },
    signal: AbortSignal,
  ): AsyncIterable<{ events: EtcdEvent[]; compactRevision?: number }> {
    const stop = new AbortController();
    const call = this.#member().watch.duplex("Watch", AbortSignal.any([signal, stop.signal]));
    try {
      call.write({ createRequest: { ...request, fragment: true } });
      let events: EtcdEvent[] = [];
      for await (const answer of call) {
        if (answer.canceled) {
          const { compactRevision, cancelReason } = answer;
          if (compactRevision > 0) yield { events: [], compactRevision };
          else throw new Error(`etcd ended the watch: ${cancelReason}`);
          return;
        }
        events.push(...answer.events);
        if (answer.fragment || (events.length === 0 && !answer.created)) continue;
        yield { events };
        events = [];
      }
    } finally {
      stop.abort();
    }
  }

  /** Leaves a member that was lost. */
  next() {
    this.#current = (this.#current + 1) % this.#members.length;
  }

  close() {
    this.#closed = true;
    for (const { connection } of this.#members) connection.close();
  }

  #member() {
    return this.#members[this.#current]!;
  }

  async #call(method: string, request: object, onDoubt?: () => void): Promise<any> {
    const until = this.#clock.monotonic() + callPatienceMs;
    for (let failures = 1; ; failures++) {
      const member = this.#current;
      try {
        return await this.#member().kv.call(method, request, { timeoutMs: callTimeoutMs });
      } catch (error) {
        if (isNoSpace(error)) throw new StoreFull(error);
        if (!isPassing(error)) throw error;
        if (this.#closed || this.#clock.monotonic() >= until) {
          throw new StoreUnavailable(`etcd at ${this.#where}`, error);
        }
        onDoubt?.();
        if (this.#current === member) this.next();
        await sleep(this.#clock, backoffMs(failures, retry));
      }
    }
  }
}
