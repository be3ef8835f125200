// The store on etcd 3, which several Kerb servers share. Writes are transactions guarded by the revision of
// their key. Reads come from a mirror in this process, once it is as new as the newest write anywhere.
import type { Clock } from "../../lib/clock.ts";
import { sleep } from "../../lib/clock.ts";
import { isGrpc } from "../../lib/grpc.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import { StatusError } from "../../lib/status-error.ts";
import type { Change } from "../change.ts";
import { historyMax } from "../compaction.ts";
import { isTooLong } from "../keys.ts";
import { KeyExists, RevisionMismatch, sealBody, StoreUnavailable } from "../store.ts";
import type { Body, Entry, ListOptions, Page, Store, StoreEvent } from "../store.ts";
import { parseEtcdAddress } from "./address.ts";
import { callPatienceMs, openEtcdClient } from "./etcd-client.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { ForeignWrite, Layout } from "./layout.ts";
import type { ValueForm } from "./layout.ts";
import { Mirror } from "./mirror.ts";
import type { EtcdKeyValue } from "./protocol.ts";

/** Entries of one page when all is read. */
const pageEntries = 250;
/** Between two tries to follow etcd. */
const followAgainMs = 200;

export interface EtcdStoreOptions {
  /** As `parseEtcdAddress` takes it. */
  address: string;
  form?: ValueForm;
  clock: Clock;
  random: Random;
  log: Log;
}

const plain: ValueForm = { seal: (_, value) => value, open: (_, value) => value };

/** Connects and reads all there is. Throws StoreUnavailable when no member answers in time. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const address = parseEtcdAddress(options.address);
  const client = openEtcdClient(address, options.clock);
  const layout = new Layout(address.prefix, options.form ?? plain);
  try {
    const { state, revision } = await readAll(client, layout, await startOf(client, layout));
    const mirror = new Mirror(state, revision, options.clock);
    const store = new EtcdStore(client, layout, mirror, options);
    await store.caughtUp();
    return store;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** The revision to begin at: as far back as there is history, so that watchers of other servers can go on here. */
async function startOf(client: EtcdClient, { compaction }: Layout): Promise<number> {
  const { kvs, revision } = await client.range({ key: compaction });
  if (kvs.length === 0) await client.put(compaction, Buffer.from(`${revision}`));
  const compacted = Number(kvs[0]?.value.toString() ?? revision);
  return Math.max(compacted, revision - historyMax);
}

/** Everything at one revision, the newest when none is given or the given one is compacted meanwhile. */
async function readAll(client: EtcdClient, layout: Layout, at?: number) {
  try {
    return await readAt(client, layout, at);
  } catch (error) {
    if (!isGrpc(error, "OUT_OF_RANGE")) throw error;
    return readAt(client, layout, undefined);
  }
}

async function readAt(client: EtcdClient, layout: Layout, at: number | undefined) {
  const { rangeEnd } = layout.all;
  let { key } = layout.all;
  let revision = at;
  const state: Change[] = [];
  for (;;) {
    const wanted = revision === undefined ? {} : { revision };
    const page = await client.range({ key, rangeEnd, limit: pageEntries, ...wanted });
    revision ??= page.revision;
    state.push(...layout.stateOf(page.kvs));
    if (!page.more) break;
    key = Buffer.concat([page.kvs.at(-1)!.key, Buffer.of(0)]);
  }
  const revisions = new Set(state.map((change) => change.revision));
  if (revisions.size < state.length) {
    throw new ForeignWrite(
      `objects under ${layout.prefix} in etcd were written by another program`,
    );
  }
  return { state, revision };
}

class EtcdStore implements Store {
  readonly #client: EtcdClient;
  readonly #layout: Layout;
  readonly #mirror: Mirror;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  /** Begins the id of each write. */
  readonly #writer: string;
  /** Writes under way, and the revision each was seen at. */
  readonly #mine = new Map<string, number | undefined>();
  readonly #following: Promise<void>;
  #writes = 0;
  #asking: Promise<number> | undefined;
  #askNext: Promise<number> | undefined;

  constructor(
    client: EtcdClient,
    layout: Layout,
    mirror: Mirror,
    { clock, random, log }: EtcdStoreOptions,
  ) {
    this.#client = client;
    this.#layout = layout;
    this.#mirror = mirror;
    this.#clock = clock;
    this.#log = log;
    this.#writer = random.uuid();
    this.#following = this.#follow();
  }

  create(key: string, body: Body): Promise<Entry> {
    if (isTooLong(key)) {
      return Promise.reject(new Error(`key ${key} is too long`));
    }
    return this.#write(key, 0, body, (value) => ({
      requestPut: { key: this.#layout.keyOf(key), value },
    }));
  }

  update(key: string, revision: number, body: Body): Promise<Entry> {
    return this.#write(key, revision, body, (value) => ({
      requestPut: { key: this.#layout.keyOf(key), value },
    }));
  }

  delete(key: string, revision: number, body: Body): Promise<Entry> {
    return this.#write(key, revision, body, () => ({
      requestDeleteRange: { key: this.#layout.keyOf(key) },
    }));
  }

  async get(key: string): Promise<Entry | undefined> {
    await this.caughtUp();
    return this.#mirror.reader.get(key);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Page> {
    const { revision } = options;
    if (revision === undefined || revision > this.#mirror.revision) await this.caughtUp();
    return this.#mirror.reader.list(prefix, options);
  }

  watch(prefix: string, options: { after: number; signal?: AbortSignal }) {
    this.#mustBeOpen();
    return this.#mirror.watch(prefix, options);
  }

  subscribe(prefix: string, listener: (events: StoreEvent[]) => void) {
    return this.#mirror.subscribe(prefix, listener);
  }

  revision() {
    return this.#mirror.revision;
  }

  compacted() {
    return this.#mirror.reader.compacted;
  }

  async compact(revision: number) {
    if (!(await this.#mirror.compact(revision))) return;
    const [key, value] = [this.#layout.compaction, Buffer.from(`${this.compacted()}`)];
    await this.#client.put(key, value);
    await this.#client.compact(this.compacted());
  }

  check() {
    return this.caughtUp();
  }

  async close() {
    this.#stop.abort();
    this.#mirror.close();
    this.#client.close();
    await this.#following;
  }

  /** Resolves once all that was acknowledged anywhere before this call is here. Throws StoreUnavailable. */
  async caughtUp() {
    this.#mustBeOpen();
    await this.#reach(await this.#newest());
  }

  async #reach(revision: number) {
    if (await this.#mirror.reached(revision, callPatienceMs)) return;
    throw new StoreUnavailable(
      "etcd",
      new Error(`nothing newer than ${this.#mirror.revision} came`),
    );
  }

  /** The newest write's revision. Callers that come while one is asking share the next question. */
  #newest(): Promise<number> {
    const before = this.#asking?.catch(() => {}) ?? Promise.resolve();
    this.#askNext ??= before.then(() => {
      this.#asking = this.#askNext;
      this.#askNext = undefined;
      return this.#askNewest();
    });
    return this.#askNext;
  }

  async #askNewest() {
    const { kvs } = await this.#client.range({ key: this.#layout.mark });
    return kvs[0]?.modRevision ?? 0;
  }

  async #write(
    key: string,
    guard: number,
    body: Body,
    operation: (value: Uint8Array) => object,
  ): Promise<Entry> {
    this.#mustBeOpen();
    const id = `${this.#writer}-${(this.#writes += 1)}`;
    this.#mine.set(id, undefined);
    try {
      const revision = await this.#commit(
        key,
        guard,
        id,
        this.#request(key, guard, { id, body, operation }),
      );
      return { key, value: sealBody(body, revision), revision };
    } finally {
      this.#mine.delete(id);
    }
  }

  #request(
    key: string,
    guard: number,
    { id, body, operation }: { id: string; body: Body; operation: (value: Uint8Array) => object },
  ) {
    const at = this.#layout.keyOf(key);
    const value = this.#layout.valueOf(key, body);
    const change: any = operation(value);
    const last = change.requestDeleteRange && { last: value };
    const mark = { key: this.#layout.mark, value: this.#layout.markOf({ id, ...last }) };
    return {
      compare: [{ result: 0, target: 2, key: at, modRevision: guard }],
      success: [change, { requestPut: mark }],
    };
  }

  /** The revision of the write. A write whose answer was lost is found again by its id. */
  async #commit(key: string, guard: number, id: string, request: object): Promise<number> {
    let inDoubt = false;
    const txn = await this.#client
      .txn(request, () => (inDoubt = true))
      .catch((error: unknown) => {
        if (!isGrpc(error, "INVALID_ARGUMENT") || !/too large/.test(String(error))) throw error;
        throw new StatusError("RequestEntityTooLarge", "etcd takes no object of this size");
      });
    const isHere = await this.#mirror.reached(txn.revision, callPatienceMs);
    if (txn.succeeded) return txn.revision;
    const seenAt = this.#mine.get(id);
    if (seenAt !== undefined) return seenAt;
    // Somebody else's write stands there, unless ours was done and is not seen yet.
    if (inDoubt && !isHere)
      throw new StoreUnavailable("etcd", new Error(`write ${id} is in doubt`));
    const current = this.#mirror.reader.get(key);
    throw guard === 0 ? new KeyExists(key, current) : new RevisionMismatch(key, current);
  }

  async #follow() {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#followOne();
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn("following etcd", { error: String(error) });
      }
      this.#client.next();
      await sleep(this.#clock, followAgainMs, signal).catch(() => {});
    }
  }

  /** Follows until the member is lost. What cannot be followed change by change is read anew. */
  async #followOne() {
    const request = { ...this.#layout.all, startRevision: this.#mirror.revision + 1 };
    for await (const { events, compactRevision } of this.#client.watch(
      request,
      this.#stop.signal,
    )) {
      if (compactRevision !== undefined) return this.#readAnew("its history is compacted");
      try {
        this.#take(events);
      } catch (error) {
        if (!(error instanceof ForeignWrite)) throw error;
        return this.#readAnew(error.message);
      }
    }
  }

  #take(events: { type: 0 | 1; kv: EtcdKeyValue }[]) {
    const steps = this.#layout.stepsOf(events, (key) => this.#held(key));
    if (steps.length === 0) return;
    for (const { id, revision } of steps) {
      if (id !== undefined && this.#mine.has(id)) this.#mine.set(id, revision);
    }
    const changes = steps.flatMap((step) => step.changes);
    this.#mirror.apply(changes, steps.at(-1)!.revision);
  }

  #held(key: string): Change | undefined {
    const entry = this.#mirror.reader.get(key);
    return entry && { ...entry, type: "update", previous: 0 };
  }

  async #readAnew(why: string) {
    this.#log.warn("reading all of etcd anew", { why });
    const { state, revision } = await readAll(this.#client, this.#layout);
    this.#mirror.replace(state, revision);
  }

  #mustBeOpen() {
    if (this.#stop.signal.aborted) throw new Error("the store is closed");
  }
}
