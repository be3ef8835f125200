// How the store lies in etcd. Objects are JSON without a resourceVersion under PREFIX + key; the revision is
// etcd's own.
//
// Beside them lies one key that every write writes too, the mark. Its revision is how new a reader must be,
// whatever other programs write to the same etcd; its value names the write, so that a writer whose answer was
// lost finds out whether it was done, and carries what a deleted object looked like at its end.
import type { Change } from "../change.ts";
import { sealBody } from "../store.ts";
import type { Body } from "../store.ts";
import type { EtcdEvent, EtcdKeyValue } from "./protocol.ts";

/** Values of some keys are not JSON in etcd: what stands between. */
export interface ValueForm {
  seal(key: string, plain: Uint8Array): Uint8Array;
  open(key: string, stored: Uint8Array): Uint8Array;
}

const metadataHead = Buffer.from('"metadata":{');
/** Begins the names of what lies beside the objects. */
export const besides = "~";
const markName = `${besides}mark`;
const compactionName = `${besides}compacted`;
const idEnd = 0x0a;

export interface WriteMark {
  id: string;
  /** What a delete leaves of its object. */
  last?: Uint8Array;
}

/** What one revision did under the prefix. */
export interface Step {
  revision: number;
  changes: Change[];
  /** The write it was, when it was one of ours. */
  id?: string;
}

/** Several keys in one revision, or a value that is no object: not written by a Kerb. */
export class ForeignWrite extends Error {}

export class Layout {
  readonly prefix: string;
  readonly #form: ValueForm;

  constructor(prefix: string, form: ValueForm) {
    this.prefix = prefix;
    this.#form = form;
  }

  get mark() {
    return Buffer.from(this.prefix + markName);
  }

  /** Holds up to where history is forgotten. */
  get compaction() {
    return Buffer.from(this.prefix + compactionName);
  }

  /** All that is ours, mark included. */
  get all() {
    const end = this.prefix.slice(0, -1) + String.fromCharCode("/".charCodeAt(0) + 1);
    return { key: Buffer.from(this.prefix), rangeEnd: Buffer.from(end) };
  }

  keyOf = (key: string) => Buffer.from(this.prefix + key);

  valueOf(key: string, body: Body): Uint8Array {
    const { bytes, revisionAt } = body;
    if (headAt(bytes) !== revisionAt) throw new Error(`${key}: metadata is not where it belongs`);
    return this.#form.seal(key, bytes);
  }

  markOf({ id, last }: WriteMark): Buffer {
    return Buffer.concat([Buffer.from(id), Buffer.of(idEnd), last ?? Buffer.alloc(0)]);
  }

  /** The live objects of a page. Throws ForeignWrite. */
  stateOf(kvs: EtcdKeyValue[]): Change[] {
    return kvs.flatMap((kv) => {
      const key = this.#name(kv);
      if (key === undefined) return [];
      const value = this.#wholeOf(key, kv.value, kv.modRevision);
      return [{ type: "create" as const, key, revision: kv.modRevision, previous: 0, value }];
    });
  }

  /** Events by revision, in order. `held` gives what is known of a key before. Throws ForeignWrite. */
  stepsOf(events: EtcdEvent[], held: (key: string) => Change | undefined): Step[] {
    const steps: Step[] = [];
    const known = new Map<string, Change>();
    for (const group of byRevision(events)) {
      const revision = group[0]!.kv.modRevision;
      const mark = group.find(({ kv }) => kv.key.equals(this.mark));
      const written = group.filter(({ kv }) => this.#name(kv) !== undefined);
      if (written.length > 1)
        throw new ForeignWrite(`revision ${revision} changed several objects`);
      const { id, last } = mark ? readMark(mark.kv.value) : {};
      const changes = written.map((event) => {
        const key = this.#name(event.kv)!;
        const change = this.#changeOf(event, key, known.get(key) ?? held(key), last);
        known.set(key, change);
        return change;
      });
      steps.push({ revision, changes, ...(id !== undefined && { id }) });
    }
    return steps;
  }

  #changeOf({ type, kv }: EtcdEvent, key: string, before: Change | undefined, last?: Uint8Array) {
    const revision = kv.modRevision;
    const there = before && before.type !== "delete" ? before : undefined;
    const previous = there?.revision ?? 0;
    if (type === 0) {
      const value = this.#wholeOf(key, kv.value, revision);
      return { type: there ? "update" : "create", key, revision, previous, value } satisfies Change;
    }
    if (!there) throw new ForeignWrite(`${key} was deleted and is not known`);
    const value = last?.length
      ? this.#wholeOf(key, last, revision)
      : sealBody(reopened(there.value), revision);
    return { type: "delete", key, revision, previous, value } satisfies Change;
  }

  #wholeOf(key: string, stored: Uint8Array, revision: number): Uint8Array {
    const bytes = this.#form.open(key, stored);
    const revisionAt = headAt(bytes);
    if (revisionAt < 0) throw new ForeignWrite(`${this.prefix}${key} does not hold an object`);
    return sealBody({ bytes, revisionAt }, revision);
  }

  /** Undefined for what is no object. */
  #name({ key }: EtcdKeyValue): string | undefined {
    const name = key.toString("utf8", Buffer.byteLength(this.prefix));
    return name.startsWith(besides) ? undefined : name;
  }
}

/** The offset behind `"metadata":{`, -1 when there is none. Only apiVersion and kind stand before it. */
function headAt(bytes: Uint8Array): number {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(metadataHead);
  return at < 0 ? -1 : at + metadataHead.length;
}

/** A whole value without the resourceVersion that stands first in its metadata. */
function reopened(value: Uint8Array): Body {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  const revisionAt = headAt(bytes);
  const rest = bytes.subarray(bytes.indexOf(",", revisionAt) + 1);
  return { bytes: Buffer.concat([bytes.subarray(0, revisionAt), rest]), revisionAt };
}

function readMark(value: Buffer): { id: string; last: Uint8Array } {
  const end = value.indexOf(idEnd);
  return { id: value.toString("utf8", 0, end), last: value.subarray(end + 1) };
}

function byRevision(events: EtcdEvent[]): EtcdEvent[][] {
  const groups: EtcdEvent[][] = [];
  for (const event of events) {
    const group = groups.at(-1);
    if (group?.[0]!.kv.modRevision === event.kv.modRevision) group.push(event);
    else groups.push([event]);
  }
  return groups;
}
