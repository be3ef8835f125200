// A client that remembers. What its watches showed is kept on disk, and when the server is away at the start
// of a watch, that is shown instead: a machine that reboots behind a cut link finds its pods again. Tokens of
// service accounts are remembered too, and what pods' volumes are asked by name. Everything else fails as it does
// without a server.
import type { KubeObject } from "../kinds/object.ts";
import type { Cancel, Clock } from "../lib/clock.ts";
import { isStatus, StatusError } from "../lib/status-error.ts";
import { KeptEvents } from "./kept-events.ts";
import type { Absence } from "./kept-events.ts";
import { forgotten, hashOf, objectFile, tokenFile, watchFile } from "./remembered.ts";
import { keyOf } from "./cache.ts";
import type { Client, Reach, Target, WatchEvent, WatchOptions } from "./client.ts";

/** Where memories are kept; `write` replaces a text as a whole. */
export interface MemoryFiles {
  read(name: string): string | undefined;
  write(name: string, text: string): void;
  names(): string[];
  remove(name: string): void;
}

/** Changes are written down together, at most this often: flash wears. The first of a quiet time wait less. */
const writeEveryMs = 10_000;
const writeSoonMs = 1000;
/** A server that says nothing for so long at the start of a watch is away. */
const firstEventMsMax = 10_000;

/** Read by name when a pod starts. */
const readByName = new Set([
  "persistentvolumeclaims",
  "persistentvolumes",
  "csidrivers",
  "volumeattachments",
  "resourceclaims",
]);

const initialEnd = "k8s.io/initial-events-end";

interface Seen {
  revision: string;
  objects: KubeObject[];
}

const isAway = (error: unknown) => isStatus(error, "ServiceUnavailable", "Timeout");

/** What one watch has shown up to now, and its file. */
class Memory {
  readonly #file: string;
  readonly #files: MemoryFiles;
  readonly #clock: Clock;
  #objects = new Map<string, KubeObject>();
  /** What a watch from the beginning has shown, until it is complete. */
  #fresh: Map<string, KubeObject> | undefined;
  #revision = "";
  #due: Cancel | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  /** Of who follows the watch. */
  readonly #signals = new Set<AbortSignal>();
  /** Of the objects that are on disk: a heartbeat, or a list that is read again, is not worth a write. */
  #written = "";

  constructor(file: string, files: MemoryFiles, clock: Clock) {
    this.#file = file;
    this.#files = files;
    this.#clock = clock;
  }

  /** From disk; undefined when nothing whole is there. */
  recall(): Seen | undefined {
    try {
      const seen: Seen = JSON.parse(this.#files.read(this.#file) ?? "");
      this.#objects = new Map(seen.objects.map((object) => [keyOf(object), object]));
      this.#revision = seen.revision;
      this.#written = contentOf(seen.objects);
      return seen;
    } catch {
      return undefined;
    }
  }

  begin() {
    this.#fresh = new Map();
  }

  followedUntil(signal: AbortSignal | undefined) {
    if (signal) this.#signals.add(signal);
  }

  /** Between two watches it is followed too. */
  get isFollowed() {
    for (const signal of this.#signals) if (signal.aborted) this.#signals.delete(signal);
    return this.#signals.size > 0;
  }

  forget() {
    this.#due?.();
    this.#due = undefined;
  }

  note({ type, object }: WatchEvent) {
    if (type === "ERROR") return;
    const into = this.#fresh ?? this.#objects;
    if (type === "DELETED") into.delete(keyOf(object));
    else if (type !== "BOOKMARK") into.set(keyOf(object), light(object));
    else if (this.#fresh && object.metadata.annotations?.[initialEnd] === "true") {
      this.#objects = this.#fresh;
      this.#fresh = undefined;
    }
    this.#revision = object.metadata.resourceVersion;
    if (this.#fresh) return;
    // A machine that loses power right after it joined starts without its server all the same.
    if (this.#written === "") return this.#write();
    const restMs = this.#writtenAt + writeEveryMs - this.#clock.monotonic();
    this.#due ??= this.#clock.after(Math.max(writeSoonMs, restMs), () => this.flush());
  }

  flush() {
    if (!this.#due) return;
    this.#due();
    this.#due = undefined;
    this.#write();
  }

  #write() {
    const objects = [...this.#objects.values()];
    const hash = contentOf(objects);
    if (hash === this.#written) return;
    this.#files.write(this.#file, JSON.stringify({ revision: this.#revision, objects }));
    this.#written = hash;
    this.#writtenAt = this.#clock.monotonic();
  }
}

/** Stands for what objects say, whatever their order and revisions. */
const contentOf = (objects: KubeObject[]) =>
  hashOf(
    objects
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .map((object) => {
        const { resourceVersion: _, ...metadata } = object.metadata;
        return { ...object, metadata };
      }),
  );

function beatless(condition: Record<string, unknown>) {
  const { lastHeartbeatTime: _, ...rest } = condition;
  return rest;
}

/** Without what nobody reads and changes most. */
function light(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  const { conditions } = object["status"] ?? {};
  if (!Array.isArray(conditions)) return { ...object, metadata };
  const status = { ...object["status"], conditions: conditions.map(beatless) };
  return { ...object, metadata, status };
}

function* shown({ objects, revision }: Seen): Generator<WatchEvent> {
  for (const object of objects) yield { type: "ADDED", object };
  const metadata = { resourceVersion: revision, annotations: { [initialEnd]: "true" } };
  yield { type: "BOOKMARK", object: { metadata } as unknown as KubeObject };
}

export interface OfflineClient extends Client {
  reach: Reach;
  /** Writes what is not on disk yet. */
  flush(): void;
  /** Of Secrets, ConfigMaps, tokens, claims and volumes keeps those of `pods`, which are all that are to run here. */
  keepOnly(pods: KubeObject[]): void;
}

export interface OfflineOptions {
  files: MemoryFiles;
  clock: Clock;
  /** The server is back. */
  onReturn?: (absence: Absence) => void;
}

export function offlineClient(
  client: Client,
  { files, clock, onReturn }: OfflineOptions,
): OfflineClient {
  const memories = new Map<string, Memory>();
  const listeners = new Set<() => void>();
  const onReach = () => listeners.forEach((listener) => listener());
  const kept = new KeptEvents({ client, files, clock, onReturn, onReach });
  const reach: Reach = {
    isAway: () => kept.isAway,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };

  function memoryOf(target: Target, options: WatchOptions): Memory {
    const file = watchFile(target, options);
    let memory = memories.get(file);
    if (!memory) memories.set(file, (memory = new Memory(file, files, clock)));
    memory.followedUntil(options.signal);
    return memory;
  }

  function read(file: string): KubeObject | undefined {
    try {
      return JSON.parse(files.read(file) ?? "");
    } catch {
      return undefined;
    }
  }

  function keepOnly(pods: KubeObject[]) {
    const followed = [...memories].filter(([, memory]) => memory.isFollowed);
    const held = new Set(followed.map(([name]) => name));
    for (const name of forgotten(files.names(), { held, pods, read })) {
      memories.get(name)?.forget();
      memories.delete(name);
      files.remove(name);
    }
  }

  /** Events of the server; throws ServiceUnavailable when the first one does not come in time. */
  async function* asked(target: Target, options: WatchOptions): AsyncGenerator<WatchEvent> {
    const late = new AbortController();
    const signals = options.signal ? [options.signal, late.signal] : [late.signal];
    const cancel = options.sendInitialEvents
      ? clock.after(firstEventMsMax, () => late.abort())
      : () => {};
    try {
      const signal = AbortSignal.any(signals);
      for await (const event of client.watch(target, { ...options, signal })) {
        cancel();
        kept.back();
        yield event;
      }
    } catch (error) {
      if (isAway(error)) kept.away();
      throw error;
    } finally {
      cancel();
    }
    if (!late.signal.aborted) return;
    kept.away();
    throw new StatusError("ServiceUnavailable", "the server is away");
  }

  async function* watch(
    target: Target,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<any>> {
    const memory = memoryOf(target, options);
    const isFromStart = options.sendInitialEvents === true;
    let hasCome = false;
    if (isFromStart) memory.begin();
    try {
      for await (const event of asked(target, options)) {
        hasCome = true;
        memory.note(event);
        yield event;
      }
    } catch (error) {
      const seen = isFromStart && !hasCome && isAway(error) ? memory.recall() : undefined;
      if (!seen) throw error;
      yield* shown(seen);
    }
  }

  const create: Client["create"] = async (target, object, options) => {
    if (target.resource === "events") {
      try {
        return await client.create(target, object, options);
      } catch (error) {
        if (!isAway(error)) throw error;
        kept.keep(target, object as KubeObject);
        return object as never;
      }
    }
    if (target.subresource !== "token") return client.create(target, object, options);
    const file = tokenFile(target, object);
    try {
      const answer = await client.create(target, object, options);
      files.write(file, JSON.stringify(answer));
      return answer as never;
    } catch (error) {
      const known = isAway(error) ? files.read(file) : undefined;
      if (known === undefined) throw error;
      return JSON.parse(known);
    }
  };

  /** Any answer says that the server is there; watches wait longer and longer before they ask again. */
  async function heard<T>(answer: Promise<T>): Promise<T> {
    const answered = await answer;
    kept.back();
    return answered;
  }

  const get: Client["get"] = async (target, signal) => {
    if (!readByName.has(target.resource)) return heard(client.get(target, signal));
    const file = objectFile(target);
    try {
      const object = await heard(client.get(target, signal));
      const text = JSON.stringify(object);
      if (files.read(file) !== text) files.write(file, text);
      return object as never;
    } catch (error) {
      const known = isAway(error) ? files.read(file) : undefined;
      if (known === undefined) throw error;
      return JSON.parse(known);
    }
  };

  return {
    get,
    list: (...args) => heard(client.list(...args)),
    update: (...args) => heard(client.update(...args)),
    patch: (...args) => heard(client.patch(...args)),
    delete: (...args) => heard(client.delete(...args)),
    deleteCollection: (...args) => client.deleteCollection(...args),
    create,
    watch,
    reach,
    keepOnly,
    flush: () => {
      memories.forEach((memory) => memory.flush());
      kept.flush();
    },
  };
}
