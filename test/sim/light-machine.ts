// A machine for fleets of thousands: the member agent runs whole, over a disk of objects with as much of an API as it
// uses (lists, watches, merges, finalizers, conflicts), in place of an API server of its own.
import type { Client, Target } from "../../src/client/client.ts";
import { Informers } from "../../src/client/informers.ts";
import type { DiscoveredResource } from "../../src/controllers/runtime.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { timestamp } from "../../src/lib/clock.ts";
import { silent } from "../../src/lib/log.ts";
import { Mailbox } from "../../src/lib/mailbox.ts";
import { mergePatch } from "../../src/lib/patch/merge-patch.ts";
import type { Random } from "../../src/lib/random.ts";
import { Scope } from "../../src/lib/scope.ts";
import { StatusError } from "../../src/lib/status-error.ts";
import type { StoreEvent } from "../../src/store/store.ts";

type Told = "ADDED" | "MODIFIED" | "DELETED";

interface Listener {
  prefix: string;
  tell: (type: Told, object: any, key: string) => void;
}

const resourceOf = ({ group, resource }: Target) => (group ? `${resource}.${group}` : resource);
const prefixOf = (target: Target) =>
  target.namespace ? `${resourceOf(target)}/${target.namespace}/` : `${resourceOf(target)}/`;
const keyOf = (target: Target) => prefixOf(target) + target.name;

/** Objects, and who is told of changes. */
class Disk {
  readonly objects = new Map<string, any>();
  readonly listeners = new Set<Listener>();
  revision = 0;

  put(key: string, object: any): any {
    const resourceVersion = String(++this.revision);
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion } };
    const type = this.objects.has(key) ? "MODIFIED" : "ADDED";
    const { deletionTimestamp, finalizers = [] } = stored.metadata;
    if (deletionTimestamp && finalizers.length === 0) return this.remove(key, stored);
    this.objects.set(key, stored);
    this.#tell(type, stored, key);
    return stored;
  }

  remove(key: string, last: any) {
    this.objects.delete(key);
    this.revision++;
    this.#tell("DELETED", last, key);
    return last;
  }

  #tell(type: Told, object: any, key: string) {
    for (const { prefix, tell } of [...this.listeners]) {
      if (key.startsWith(prefix)) tell(type, object, key);
    }
  }
}

interface Parts {
  disk: Disk;
  scope: Scope;
  clock: Clock;
  random: Random;
}

class LightApi {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  #open(): Disk {
    if (this.#parts.scope.closed) throw new StatusError("ServiceUnavailable", "no power");
    return this.#parts.disk;
  }

  get(target: Target): any {
    const found = this.#open().objects.get(keyOf(target));
    if (found) return found;
    throw new StatusError("NotFound", `${target.resource} "${target.name}" not found`);
  }

  list(target: Target) {
    const disk = this.#open();
    const prefix = prefixOf(target);
    const items = [...disk.objects].filter(([key]) => key.startsWith(prefix)).map(([, one]) => one);
    const metadata = { resourceVersion: String(disk.revision) };
    return { apiVersion: "v1", kind: "List", metadata, items };
  }

  async *watch(target: Target, options: { fieldSelector?: string; signal?: AbortSignal } = {}) {
    const disk = this.#open();
    const name = options.fieldSelector?.replace(/^metadata\.name=/, "");
    const box = new Mailbox<any>();
    const listener: Listener = {
      prefix: prefixOf(target),
      tell: (type, object) => {
        if (!name || object.metadata.name === name) box.put({ type, object });
      },
    };
    for (const object of this.list(target).items) listener.tell("ADDED", object, "");
    const annotations = { "k8s.io/initial-events-end": "true" };
    const resourceVersion = String(disk.revision);
    box.put({ type: "BOOKMARK", object: { metadata: { resourceVersion, annotations } } });
    disk.listeners.add(listener);
    const end = () => box.end();
    options.signal?.addEventListener("abort", end);
    this.#parts.scope.signal.addEventListener("abort", end);
    try {
      yield* box;
    } finally {
      disk.listeners.delete(listener);
      options.signal?.removeEventListener("abort", end);
      this.#parts.scope.signal.removeEventListener("abort", end);
    }
  }

  create(target: Target, draft: any): any {
    const { clock, random } = this.#parts;
    const { name } = draft.metadata;
    const key = keyOf({ ...target, name });
    if (this.#open().objects.has(key)) {
      throw new StatusError("AlreadyExists", `${target.resource} "${name}" already exists`);
    }
    const namespace = target.namespace && { namespace: target.namespace };
    const creationTimestamp = timestamp(clock.now());
    const metadata = { uid: random.uuid(), creationTimestamp, ...namespace, ...draft.metadata };
    // Definitions are served at once.
    const status = draft.kind === "CustomResourceDefinition" && {
      conditions: [{ type: "Established", status: "True" }],
    };
    return this.#open().put(key, { ...draft, metadata, ...(status && { status }) });
  }

  patch(target: Target, type: string, patch: any): any {
    const key = keyOf(target);
    const disk = this.#open();
    if (type === "apply" && !disk.objects.has(key)) return this.create(target, patch);
    const before = this.get(target);
    const { resourceVersion } = patch.metadata ?? {};
    if (resourceVersion && resourceVersion !== before.metadata.resourceVersion) {
      throw new StatusError("Conflict", `${target.name} was changed meanwhile`);
    }
    const wanted = target.subresource === "status" ? { status: patch.status } : patch;
    const after = mergePatch(before, wanted);
    if (JSON.stringify(after) === JSON.stringify(before)) return before;
    return disk.put(key, after);
  }

  delete(target: Target, options: { preconditions?: { uid?: string } } = {}): any {
    const before = this.get(target);
    const { uid } = options.preconditions ?? {};
    if (uid && uid !== before.metadata.uid) throw new StatusError("Conflict", "another object");
    const { finalizers = [], deletionTimestamp } = before.metadata;
    if (finalizers.length === 0) return this.#open().remove(keyOf(target), before);
    if (deletionTimestamp) return before;
    const metadata = { ...before.metadata, deletionTimestamp: timestamp(this.#parts.clock.now()) };
    return this.#open().put(keyOf(target), { ...before, metadata });
  }

  /** What travels is a copy, as from a real server. */
  client(): Client {
    return {
      get: async (target) => this.get(target),
      list: async (target) => this.list(target) as any,
      watch: (target, options) => this.watch(target, options as any),
      create: async (target, draft) => this.create(target, structuredClone(draft)),
      update: async (target, object) => this.patch(target, "merge", structuredClone(object)),
      patch: async (target, type, patch) => this.patch(target, type, structuredClone(patch)),
      delete: async (target, options) => this.delete(target, options),
      deleteCollection: async () => {
        throw new Error("no agent does this");
      },
    };
  }
}

const discovered: DiscoveredResource[] = [
  {
    ...{ group: "", version: "v1", resource: "configmaps", kind: "ConfigMap" },
    ...{ namespaced: true, verbs: ["get", "list", "watch", "delete"] },
  },
];

/** What an agent is started with, on a machine of either kind. */
export interface AgentRoom {
  client(name: string): Client;
  discover(): Promise<DiscoveredResource[]>;
  informers: Informers;
  scope: Scope;
}

export class LightMachine {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #start: (room: AgentRoom) => Promise<void>;
  readonly #disk = new Disk();
  #running: { client: Client; scope: Scope } | undefined;

  constructor(
    { clock, random }: { clock: Clock; random: Random },
    start: (room: AgentRoom) => Promise<void>,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#start = start;
    const uid = random.uuid();
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system", uid } };
    this.#disk.put("namespaces/kube-system", object);
  }

  async start() {
    if (this.#running) return;
    const scope = new Scope();
    const clock = this.#clock;
    const parts = { disk: this.#disk, scope, clock, random: this.#random };
    const client = new LightApi(parts).client();
    this.#running = { client, scope };
    const informers = new Informers({ client, clock, log: silent, scope });
    const room = { client: () => client, discover: async () => discovered, informers, scope };
    this.#start(room).catch((error: unknown) => {
      if (!scope.closed) throw error;
    });
  }

  async crash() {
    const running = this.#running;
    this.#running = undefined;
    await running?.scope.close();
  }

  client(): Client | undefined {
    return this.#running?.client;
  }

  watchDisk(prefix: string, listener: (event: StoreEvent) => void) {
    const types = { ADDED: "create", MODIFIED: "update", DELETED: "delete" } as const;
    this.#disk.listeners.add({
      prefix,
      tell: (type, object, key) => {
        const value = Buffer.from(JSON.stringify(object));
        const revision = Number(object.metadata.resourceVersion);
        listener({ type: types[type], key, value, revision } as StoreEvent);
      },
    });
  }
}
