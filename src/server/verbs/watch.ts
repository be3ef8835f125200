// WATCH. One pump per watcher moves batches of the store's events into a mailbox; bookmarks and the
// timeout are put between them. The reader takes lines (HTTP) or decoded events (in process).
import { Mailbox } from "../../lib/mailbox.ts";
import { StatusError } from "../../lib/status-error.ts";
import { protobufType } from "../body.ts";
import { Compacted, type StoreEvent, WatcherTooSlow } from "../../store/store.ts";
import type { Call } from "../core.ts";
import { checkMatch, parseRevision, revisionExpired, tooLargeRevision } from "../list-options.ts";
import type { ApiResponse } from "../request.ts";
import { partialOf } from "../partial.ts";
import { selectionOf, type Selection } from "../selection.ts";
import { fromStored, keyOf, prefixOf, readAhead } from "../stored.ts";
import { isTrue } from "../request-info.ts";
import { tableOf } from "../table/table.ts";
import { bookmarkOf, changeOf, lineOf, type Change } from "../watch-events.ts";
import { trackProgress } from "../watch-progress.ts";

/** Time between bookmarks. */
const bookmarkMs = 60_000;
/**
 * While a watch tells nothing its bookmarks come more and more seldom, up to so many times that: a fleet has thousands
 * of quiet watches, on thin links. Still within the time that history is kept for.
 */
const quietTimesMax = 4;

/** Watches without a timeout of their own end after this and up to as much again, as upstream. */
const timeoutMsMin = 30 * 60_000;

/** By this age a watch has replayed its history, unless its reader is slow. */
const replayMsMax = 5000;

/** Initial objects sent at a time. */
const pageEntries = 500;

interface WatchQuery {
  /** Changes after this revision; 0 with `initial` for the newest. */
  after: number;
  /** Existing objects come first, as ADDED. */
  initial: boolean;
  /** A bookmark tells where the initial objects end. */
  initialBookmark: boolean;
  bookmarks: boolean;
  timeoutMs: number;
  selection: Selection | undefined;
}

function watchQuery({ request, kind, core }: Call): WatchQuery {
  const { query } = request;
  checkMatch(query, true);
  const text = query.get("resourceVersion") || "0";
  const asked = parseRevision(text);
  const current = core.store.revision();
  if (asked > current) throw tooLargeRevision(asked, current);
  const sendInitial = query.get("sendInitialEvents");
  const initial = sendInitial === null ? asked === 0 : isTrue(sendInitial);
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  const bookmarks = isTrue(query.get("allowWatchBookmarks"));
  return {
    after: asked === 0 || initial ? current : asked,
    initial,
    initialBookmark: bookmarks && initial && sendInitial !== null,
    bookmarks,
    timeoutMs: seconds > 0 ? seconds * 1000 : timeoutMsMin * (1 + core.random.float()),
    selection: selectionOf(query, kind),
  };
}

/** Turns changes into what the reader takes: bytes or decoded events. */
interface Encoder<T> {
  changes(changes: Change[]): T;
  other(type: "BOOKMARK" | "ERROR", object: object): T;
}

const decodedEncoder = (call: Call): Encoder<{ type: string; object: any }[]> => ({
  changes: (changes) =>
    changes.map(({ type, bytes }) => ({ type, object: fromStored(call.kind, bytes) })),
  other: (type, object) => [{ type, object }],
});

/** Objects of events in the form the caller accepts. Only the first Table carries its columns. */
function shaper(call: Call) {
  let columns = true;
  return (change: Change): object => {
    const object = fromStored(call.kind, change.bytes);
    if (call.accept.as === "object") return object;
    if (call.accept.as === "PartialObjectMetadata") return partialOf(object, call.accept.version);
    const { resourceVersion } = object.metadata;
    const table = tableOf(call, [object], { resourceVersion }, columns);
    columns = false;
    return table;
  };
}

function shapeBookmark(call: Call, bookmark: any): object {
  const { as, version } = call.accept;
  if (as === "object") return bookmark;
  if (as === "Table")
    return { ...tableOf(call, [], bookmark.metadata, false), metadata: bookmark.metadata };
  return { ...partialOf(bookmark, version) };
}

function lineEncoder(call: Call): Encoder<Uint8Array> {
  const line = (type: string, object: object) =>
    Buffer.from(`${JSON.stringify({ type, object })}\n`);
  const shape = shaper(call);
  const encode =
    call.accept.as === "object"
      ? (change: Change) => lineOf(change, call.kind)
      : (change: Change) => line(change.type, shape(change));
  return {
    changes: (changes) =>
      changes.length === 1 ? encode(changes[0]!) : Buffer.concat(changes.map(encode)),
    other: (type, object) => line(type, type === "BOOKMARK" ? shapeBookmark(call, object) : object),
  };
}

/** The key of the only object that the watch can tell of, if there is only one. */
function onlyKey({ kind, info }: Call, { selection }: WatchQuery): string | undefined {
  const { name } = selection ?? {};
  const isOne = name && (!kind.namespaced || info.namespace);
  return isOne ? keyOf(kind, info.namespace, name) : undefined;
}

/** A watch of one name costs as much as that one, however many there are. */
async function putOne(
  { call, query, key }: { call: Call; query: WatchQuery; key: string },
  put: (changes: Change[]) => Promise<void>,
) {
  const { store } = call.core;
  const before = store.revision();
  const entry = await store.get(key);
  if (!entry) return before;
  await readAhead(call.kind, [entry.value]);
  if (query.selection!.matches(fromStored(call.kind, entry.value))) {
    await put([{ type: "ADDED", bytes: entry.value }]);
  }
  return Math.max(before, entry.revision);
}

/** Puts the objects that exist, page by page. Returns the revision they are true at. */
async function putInitial(
  call: Call,
  query: WatchQuery,
  put: (changes: Change[]) => Promise<void>,
) {
  const key = onlyKey(call, query);
  if (key) return putOne({ call, query, key }, put);
  const prefix = prefixOf(call.kind, call.info.namespace);
  let page = await call.core.store.list(prefix, { limit: pageEntries });
  const { revision } = page;
  for (;;) {
    await readAhead(
      call.kind,
      page.entries.map(({ value }) => value),
    );
    const changes = page.entries
      .filter(
        ({ value }) => !query.selection || query.selection.matches(fromStored(call.kind, value)),
      )
      .map(({ value }): Change => ({ type: "ADDED", bytes: value }));
    if (changes.length > 0) await put(changes);
    if (page.next === undefined) return revision;
    page = await call.core.store.list(prefix, { limit: pageEntries, revision, after: page.next });
  }
}

const statusOf = (error: unknown, after: number) => {
  if (error instanceof Compacted) return revisionExpired(after, error.oldest).toStatus();
  if (error instanceof WatcherTooSlow) return revisionExpired(after, after).toStatus();
  if (error instanceof StatusError) return error.toStatus();
  return new StatusError("InternalError", String(error)).toStatus();
};

/** Of each server, what ends with it. A signal itself looks through all its listeners for each new one. */
const stops = new WeakMap<AbortSignal, Set<() => void>>();

/** Returns what takes `end` back. */
function onStop(signal: AbortSignal, end: () => void) {
  let ends = stops.get(signal);
  if (!ends) {
    const all = new Set<() => void>();
    stops.set(signal, (ends = all));
    signal.addEventListener("abort", () => all.forEach((one) => one()), { once: true });
  }
  const known = ends.add(end);
  return () => void known.delete(end);
}

class Watching<T> {
  readonly mailbox = new Mailbox<T>();
  readonly #call: Call;
  readonly #query: WatchQuery;
  readonly #encoder: Encoder<T>;
  readonly #stop = new AbortController();
  readonly #prefix: string;
  #delivered: number;
  #initialDone = false;
  #stalled = false;
  /** Whether it told of a change since the last minute began. */
  #tells = false;

  constructor(call: Call, query: WatchQuery, encoder: Encoder<T>) {
    this.#call = call;
    this.#query = query;
    this.#encoder = encoder;
    this.#prefix = onlyKey(call, query) ?? prefixOf(call.kind, call.info.namespace);
    this.#delivered = query.after;
  }

  async #put(changes: Change[]) {
    this.mailbox.put(this.#encoder.changes(changes));
    await this.mailbox.room();
  }

  #bookmark(revision: number, initialEventsEnd = false) {
    const object = bookmarkOf(this.#call.kind, revision, initialEventsEnd);
    this.mailbox.put(this.#encoder.other("BOOKMARK", object));
  }

  async #pump() {
    const { store } = this.#call.core;
    if (this.#query.initial) {
      this.#delivered = await putInitial(this.#call, this.#query, (changes) => this.#put(changes));
    }
    if (this.#query.initialBookmark) this.#bookmark(this.#delivered, true);
    this.#initialDone = true;
    const { signal } = this.#stop;
    for await (const batch of store.watch(this.#prefix, { after: this.#delivered, signal })) {
      const custom = this.#call.kind.storedForm !== undefined;
      const changes = custom ? await this.#customChanges(batch) : this.#changes(batch);
      if (changes.length > 0) {
        this.#tells = true;
        this.mailbox.put(this.#encoder.changes(changes));
      }
      this.#delivered = batch[batch.length - 1]!.revision;
      const room = this.mailbox.room();
      if (!room) continue;
      this.#stalled = true;
      await room;
      this.#stalled = false;
    }
  }

  /** A definition may have changed meanwhile: what comes is read as the kind is now. */
  async #customChanges(batch: StoreEvent[]): Promise<Change[]> {
    const { core, kind } = this.#call;
    const { selection } = this.#query;
    const now = core.kinds.get(kind.group, kind.version, kind.plural) ?? kind;
    this.#call.kind = now;
    const values = batch.flatMap((event) => [event.value, selection && event.previous]);
    await readAhead(now, values);
    const changes = this.#changes(batch);
    await readAhead(
      now,
      changes.map(({ bytes }) => bytes),
    );
    return changes;
  }

  #changes(batch: StoreEvent[]): Change[] {
    const changes: Change[] = [];
    for (const event of batch) {
      const change = changeOf(event, this.#call.kind, this.#query.selection);
      if (change) changes.push(change);
    }
    return changes;
  }

  /** Everything the watcher is told, until it goes, its time is up, or the server stops. */
  async *run(): AsyncGenerator<T> {
    const { core, request } = this.#call;
    const progress = trackProgress(core.store, this.#prefix);
    const started = core.clock.monotonic();
    const bookmark = () => {
      if (!this.#initialDone || !this.#query.bookmarks) return;
      const current = !this.#stalled && core.clock.monotonic() - started > replayMsMax;
      this.#bookmark(current ? progress.reached(this.#delivered) : this.#delivered);
    };
    const end = () => {
      this.#stop.abort();
      this.mailbox.end();
    };
    let [passed, due] = [0, 1];
    const minute = () => {
      if (this.#tells) due = 1;
      this.#tells = false;
      if (++passed < due) return;
      [passed, due] = [0, Math.min(due * 2, quietTimesMax)];
      bookmark();
    };
    const cancels = [
      core.clock.every(bookmarkMs, minute),
      core.clock.after(this.#query.timeoutMs, () => {
        bookmark();
        end();
      }),
    ];
    request.signal.addEventListener("abort", end);
    const unlisten = onStop(core.signal, end);
    if (request.signal.aborted || core.signal.aborted) end();
    this.#pump().then(end, (error) => {
      if (!this.#stop.signal.aborted) {
        this.mailbox.put(this.#encoder.other("ERROR", statusOf(error, this.#delivered)));
      }
      end();
    });
    try {
      yield* this.mailbox;
    } finally {
      end();
      for (const cancel of cancels) cancel();
      progress.stop();
      request.signal.removeEventListener("abort", end);
      unlisten();
    }
  }
}

/** By event, then by type and version. */
const frames = new WeakMap<StoreEvent, Map<string, Buffer>>();

/** Frames of the binary form; those of whole objects are shared by all watchers of the same event. */
async function frameEncoder(call: Call): Promise<Encoder<Uint8Array>> {
  const { encodeEvent } = await import("../protobuf/encode.ts");
  const shape = shaper(call);
  const encode = (change: Change) => {
    const { event, type } = change;
    if (!event || call.accept.as !== "object") return encodeEvent(type, shape(change) as any);
    let known = frames.get(event);
    if (!known) frames.set(event, (known = new Map()));
    const key = `${type} ${call.kind.group}/${call.kind.version}`;
    let frame = known.get(key);
    if (!frame) known.set(key, (frame = encodeEvent(type, shape(change) as any)));
    return frame;
  };
  return {
    changes: (changes) => Buffer.concat(changes.map(encode)),
    other: (type, object) =>
      encodeEvent(type, (type === "BOOKMARK" ? shapeBookmark(call, object) : object) as any),
  };
}

const watchTypes = { json: "application/json", yaml: "application/json", protobuf: protobufType };

export async function watch(call: Call): Promise<ApiResponse> {
  const query = watchQuery(call);
  if (call.request.decoded) {
    return { code: 200, events: new Watching(call, query, decodedEncoder(call)).run() };
  }
  const { format } = call.accept;
  const encoder = format === "protobuf" ? await frameEncoder(call) : lineEncoder(call);
  return {
    code: 200,
    warnings: call.warnings,
    headers: { "content-type": `${watchTypes[format]};stream=watch` },
    stream: new Watching(call, query, encoder).run(),
  };
}
