// Where objects lie in the store and how a kind reads them: a resource at another version, or another
// resource over the same storage (events.k8s.io), converts on the way; everything else is read as it lies.
//
// Reading never waits. Where somebody else must be asked to convert (a webhook), whoever takes bytes from
// the store calls `readAhead` once, and finds the converted objects here afterwards.
import type { Kind } from "../kinds/kind.ts";
import { apiVersionOf } from "../kinds/kind.ts";
import type { KubeObject } from "../kinds/object.ts";
import { parseShared } from "../lib/parse-shared.ts";

const qualified = (plural: string, group: string) => (group ? `${plural}.${group}` : plural);

/** `pods`, `deployments.apps`: the first segment of a kind's keys. */
export const storageOf = (kind: Kind) =>
  qualified(kind.storedAs?.plural ?? kind.plural, kind.storedAs?.group ?? kind.group);

/** `pods`, `deployments.apps`: how a resource is named to plugs and in messages. */
export const resourceNameOf = (kind: Kind) => qualified(kind.plural, kind.group);

export const keyOf = (kind: Kind, namespace: string | undefined, name: string) =>
  namespace ? `${storageOf(kind)}/${namespace}/${name}` : `${storageOf(kind)}/${name}`;

export const prefixOf = (kind: Kind, namespace?: string) =>
  namespace ? `${storageOf(kind)}/${namespace}/` : `${storageOf(kind)}/`;

const heads = new WeakMap<Kind, Buffer>();

/** How the bytes of an object of this kind at this version begin; see `encodeBody`. */
function headOf(kind: Kind): Buffer {
  let head = heads.get(kind);
  if (!head) {
    const apiVersion = JSON.stringify(apiVersionOf(kind));
    head = Buffer.from(`{"apiVersion":${apiVersion},"kind":${JSON.stringify(kind.kind)},`);
    heads.set(kind, head);
  }
  return head;
}

function isOfVersion(kind: Kind, bytes: Uint8Array): boolean {
  const head = headOf(kind);
  return bytes.length > head.length && head.compare(bytes, 0, head.length) === 0;
}

const revisionHead = '"metadata":{"resourceVersion":"';

/** The resourceVersion in stored bytes that begin with the head of `kind`. */
function revisionOf(kind: Kind, bytes: Uint8Array): number {
  let revision = 0;
  for (let at = headOf(kind).length + revisionHead.length; at < bytes.length; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) break;
    revision = revision * 10 + digit;
  }
  return revision;
}

/** True when stored bytes can be shown as they are. */
export const isNative = (kind: Kind, bytes: Uint8Array): boolean =>
  isOfVersion(kind, bytes) &&
  (!kind.storedForm || revisionOf(kind, bytes) > kind.storedForm.completeAfter);

/** What stored bytes are to kinds with a stored form; lives as long as the bytes. */
const forms = new WeakMap<Uint8Array, WeakMap<Kind, KubeObject>>();

function rememberForm(kind: Kind, bytes: Uint8Array, object: KubeObject) {
  let known = forms.get(bytes);
  if (!known) forms.set(bytes, (known = new WeakMap()));
  known.set(kind, object);
  return object;
}

/** Reads ahead what these bytes are to `kind`, as far as that has to be asked of somebody else. */
export async function readAhead(kind: Kind, values: Iterable<Uint8Array | undefined>) {
  const { convert, read } = kind.storedForm ?? {};
  if (!convert) return;
  const unread = new Set<Uint8Array>();
  for (const bytes of values) {
    if (bytes && !isOfVersion(kind, bytes) && !forms.get(bytes)?.has(kind)) unread.add(bytes);
  }
  if (unread.size === 0) return;
  const objects = [...unread].map((bytes) => JSON.parse(textOf(bytes)) as KubeObject);
  const converted = await convert(objects, apiVersionOf(kind));
  for (const [i, bytes] of [...unread].entries()) rememberForm(kind, bytes, read!(converted[i]!));
}

function readForm(kind: Kind, bytes: Uint8Array): KubeObject {
  const known = forms.get(bytes)?.get(kind);
  if (known) return known;
  if (kind.storedForm!.convert && !isOfVersion(kind, bytes)) {
    throw new Error(`a ${kind.kind} of another version is read before it is converted`);
  }
  return rememberForm(kind, bytes, kind.storedForm!.read(JSON.parse(textOf(bytes))));
}

/** Reads stored bytes as this kind. Shared: never change the result. */
export function fromStored(kind: Kind, bytes: Uint8Array): KubeObject {
  if (isNative(kind, bytes)) return parseShared<KubeObject>(bytes);
  if (kind.storedForm) return readForm(kind, bytes);
  const object = parseShared<KubeObject>(bytes);
  if (kind.convert) return kind.convert.fromStored(object);
  return { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind };
}

/** Like `fromStored`, but the caller's own, to change. */
export function ownCopy(kind: Kind, bytes: Uint8Array): KubeObject {
  if (kind.storedForm && !isNative(kind, bytes)) return structuredClone(readForm(kind, bytes));
  const object = JSON.parse(textOf(bytes)) as KubeObject;
  if (isNative(kind, bytes)) return object;
  if (kind.convert) return kind.convert.fromStored(object);
  return { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind };
}

const textOf = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

/** The form in which an object of this kind is stored. */
export function toStored(kind: Kind, object: KubeObject): KubeObject | Promise<KubeObject> {
  if (kind.convert) return kind.convert.toStored(object);
  if (!kind.storageVersion || kind.storageVersion === kind.version) return object;
  const apiVersion = apiVersionOf({ ...kind, version: kind.storageVersion });
  const { convert } = kind.storedForm ?? {};
  if (convert) return convert([structuredClone(object)], apiVersion).then(([one]) => one!);
  return { ...object, apiVersion };
}

/** An object of `from` at another version of the same resource. The object is left alone. */
export async function asVersion(from: Kind, to: Kind, object: KubeObject): Promise<KubeObject> {
  const apiVersion = apiVersionOf(to);
  const { convert } = from.storedForm ?? {};
  if (from === to) return object;
  if (!convert) return { ...object, apiVersion };
  const [converted] = await convert([structuredClone(object)], apiVersion);
  return converted!;
}

/** Stored bytes as this kind shows them. */
export const shownBytes = (kind: Kind, bytes: Uint8Array): Uint8Array =>
  isNative(kind, bytes) ? bytes : Buffer.from(JSON.stringify(fromStored(kind, bytes)));
