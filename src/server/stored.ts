// Where objects lie in the store and how a kind reads them: a resource at another version, or another
// resource over the same storage (events.k8s.io), converts on the way; everything else is read as it lies.
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

/** True when stored bytes can be shown as they are. */
export function isNative(kind: Kind, bytes: Uint8Array): boolean {
  const head = headOf(kind);
  return bytes.length > head.length && head.compare(bytes, 0, head.length) === 0;
}

/** Reads stored bytes as this kind. Shared: never change the result. */
export function fromStored(kind: Kind, bytes: Uint8Array): KubeObject {
  const object = parseShared<KubeObject>(bytes);
  if (isNative(kind, bytes)) return object;
  if (kind.convert) return kind.convert.fromStored(object);
  return { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind };
}

/** Like `fromStored`, but the caller's own, to change. */
export function ownCopy(kind: Kind, bytes: Uint8Array): KubeObject {
  const object = JSON.parse(textOf(bytes)) as KubeObject;
  if (isNative(kind, bytes)) return object;
  if (kind.convert) return kind.convert.fromStored(object);
  return { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind };
}

const textOf = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

/** The form in which an object of this kind is stored. */
export function toStored(kind: Kind, object: KubeObject): KubeObject {
  if (kind.convert) return kind.convert.toStored(object);
  if (!kind.storageVersion || kind.storageVersion === kind.version) return object;
  return { ...object, apiVersion: apiVersionOf({ ...kind, version: kind.storageVersion }) };
}

/** Stored bytes as this kind shows them. */
export const shownBytes = (kind: Kind, bytes: Uint8Array): Uint8Array =>
  isNative(kind, bytes) ? bytes : Buffer.from(JSON.stringify(fromStored(kind, bytes)));
