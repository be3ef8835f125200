// Turns the definitions in the store into served kinds. A definition is served in the same turn in
// which its write is committed, so that an object can follow it at once; its status is written
// afterwards.
import { timestamp, type Clock } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import type { Kind } from "../../kinds/kind.ts";
import type { Kinds } from "../../kinds/kinds.ts";
import { RevisionMismatch, type Store, type StoreEvent } from "../../store/store.ts";
import { loadCel } from "../cel/load.ts";
import { encodeBody } from "../encode.ts";
import { prefixOf } from "../stored.ts";
import { cleanupFinalizer, crdHasRules, crdPrefix, isTrue, type Crd } from "./crd.ts";
import { statusOfCrd, takenNames, terminatingStatus } from "./crd-status.ts";
import { kindsOfCrd } from "./crd-to-kinds.ts";
import { withStoredForms } from "./stored-form.ts";
import type { Convert } from "./conversion.ts";
import { deleteInstances } from "./delete-instances.ts";

/** How long a write that failed for no reason of its own waits before it is tried again. */
const retryMs = 1000;

export interface CrdControllerOptions {
  store: Store;
  kinds: Kinds;
  clock: Clock;
  log: Log;
  scope: Scope;
  /** Asks the webhook of a definition that has one. */
  convert: Convert;
}

/**
 * Serves the definitions in the store, now and as they change. Resolves once all present ones are
 * served.
 */
export async function startCrdController(options: CrdControllerOptions): Promise<void> {
  await new CrdController(options).start();
}

interface Served {
  kinds: Kind[];
  /** What the kinds were made of. */
  from: unknown;
}

class CrdController {
  readonly #options: CrdControllerOptions;
  /** As stored, but for the status, which is what it is about to be. */
  readonly #crds = new Map<string, Crd>();
  readonly #served = new Map<string, Served>();
  /** Names of definitions whose stored state may not be what it should. */
  readonly #pending = new Set<string>();
  /** Ends the watch over the objects of a definition that waits for them to go. */
  readonly #waits = new Map<string, () => void>();
  #running = false;

  constructor(options: CrdControllerOptions) {
    this.#options = options;
  }

  async start() {
    const { store, scope } = this.#options;
    scope.defer(store.subscribe(crdPrefix, (events) => this.#onEvents(events)));
    scope.defer(() => {
      for (const stop of this.#waits.values()) stop();
    });
    const page = await store.list(crdPrefix);
    if (page.entries.some(({ value }) => crdHasRules(parse(value)))) await loadCel();
    for (const { key, value } of page.entries) {
      if (!this.#crds.has(key.slice(crdPrefix.length))) this.#put(parse(value));
    }
    this.#settle();
  }

  #onEvents(events: StoreEvent[]) {
    for (const { type, key, value } of events) {
      if (type === "delete") this.#drop(key.slice(crdPrefix.length));
      else this.#put(parse(value));
    }
    this.#settle();
  }

  #put(crd: Crd) {
    const known = this.#crds.get(crd.metadata.name);
    if (known && Number(known.metadata.resourceVersion) > Number(crd.metadata.resourceVersion)) {
      return;
    }
    this.#crds.set(crd.metadata.name, crd);
    this.#pending.add(crd.metadata.name);
  }

  #drop(name: string) {
    this.#crds.delete(name);
    this.#pending.delete(name);
    this.#waits.get(name)?.();
    this.#waits.delete(name);
    for (const kind of this.#served.get(name)?.kinds ?? []) this.#options.kinds.remove(kind);
    this.#served.delete(name);
  }

  /** Decides every definition's status, serves what may be served, and sees to the writing. */
  #settle() {
    for (const [name, crd] of this.#crds) {
      const status = this.#statusOf(crd);
      if (!jsonEqual(status, crd.status)) {
        this.#crds.set(name, { ...crd, status });
        this.#pending.add(name);
      }
      this.#serve(this.#crds.get(name)!);
    }
    void this.#work();
  }

  #now = () => timestamp(this.#options.clock.now());

  #statusOf(crd: Crd) {
    if (!crd.metadata.deletionTimestamp) {
      return statusOfCrd(crd, takenNames(crd, this.#crds.values()), this.#now());
    }
    return isTrue(crd.status, "Terminating")
      ? crd.status
      : terminatingStatus(crd, "pending", this.#now());
  }

  #serve(crd: Crd) {
    const { kinds } = this.#options;
    const { name, deletionTimestamp } = crd.metadata;
    const from = { spec: crd.spec, names: crd.status?.acceptedNames, deletionTimestamp };
    const before = this.#served.get(name);
    if (!isTrue(crd.status, "Established") || jsonEqual(before?.from, from)) return;
    const next = withStoredForms(crd, kindsOfCrd(crd), this.#options);
    for (const old of before?.kinds ?? []) {
      if (!next.some((kind) => kind.version === old.version && kind.kind === old.kind)) {
        kinds.remove(old);
      }
    }
    for (const kind of next) kinds.add(kind);
    this.#served.set(name, { kinds: next, from });
  }

  async #work() {
    if (this.#running) return;
    this.#running = true;
    try {
      for (const name of this.#pending) {
        this.#pending.delete(name);
        await this.#reconcile(name).catch((error) => this.#retry(name, error));
      }
    } finally {
      this.#running = false;
    }
  }

  #retry(name: string, error: unknown) {
    const { clock, log, scope } = this.#options;
    if (scope.closed) return;
    // What won the race is on its way here as an event.
    if (error instanceof RevisionMismatch) return;
    log.error("a CustomResourceDefinition could not be brought up to date", { error, name });
    const cancel = clock.after(retryMs, () => {
      if (scope.closed || !this.#crds.has(name)) return;
      this.#pending.add(name);
      void this.#work();
    });
    scope.defer(cancel);
  }

  async #reconcile(name: string) {
    const { store, scope } = this.#options;
    const crd = this.#crds.get(name);
    if (!crd || scope.closed) return;
    const entry = await store.get(crdPrefix + name);
    if (!entry) return;
    const stored = parse(entry.value);
    if (
      stored.metadata.deletionTimestamp &&
      stored.metadata.finalizers?.includes(cleanupFinalizer)
    ) {
      await this.#cleanUp(crd, stored, entry.revision);
    } else if (!jsonEqual(stored.status, crd.status)) {
      await this.#write({ ...stored, status: crd.status! }, entry.revision);
    }
  }

  async #write(crd: Crd, revision: number) {
    await this.#options.store.update(crdPrefix + crd.metadata.name, revision, encodeBody(crd));
  }

  /** Deletes the objects; when none is left, lets the definition go. */
  async #cleanUp(crd: Crd, stored: Crd, revision: number) {
    const { store } = this.#options;
    const [kind] = kindsOfCrd({ ...crd, spec: { ...crd.spec, versions: [storageOf(crd)] } });
    const remaining = isTrue(crd.status, "Established")
      ? await deleteInstances(store, kind!, this.#now())
      : 0;
    if (remaining > 0) {
      this.#awaitInstances(crd, kind!);
      const status = terminatingStatus(stored, "running", this.#now());
      this.#crds.set(crd.metadata.name, { ...crd, status });
      if (!jsonEqual(status, stored.status)) await this.#write({ ...stored, status }, revision);
      return;
    }
    const status = terminatingStatus(stored, "completed", this.#now());
    const finalizers = stored.metadata.finalizers!.filter((one) => one !== cleanupFinalizer);
    const last: Crd = { ...stored, status, metadata: { ...stored.metadata, finalizers } };
    if (finalizers.length > 0) return this.#write(last, revision);
    delete last.metadata.finalizers;
    await store.delete(crdPrefix + crd.metadata.name, revision, encodeBody(last));
  }

  #awaitInstances(crd: Crd, kind: Kind) {
    const { name } = crd.metadata;
    if (this.#waits.has(name)) return;
    const stop = this.#options.store.subscribe(prefixOf(kind), (events) => {
      if (!events.some((event) => event.type === "delete")) return;
      this.#pending.add(name);
      void this.#work();
    });
    this.#waits.set(name, stop);
  }
}

const storageOf = (crd: Crd) => {
  const version = crd.spec.versions.find(({ storage }) => storage)!;
  return { ...version, served: true };
};

const parse = (bytes: Uint8Array): Crd =>
  JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
