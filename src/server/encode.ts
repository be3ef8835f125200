// Objects to bytes, once per write: apiVersion, kind and metadata first, and a hole in the metadata
// where the store puts the resourceVersion.
import type { KubeObject } from "../kinds/object.ts";
import type { Body } from "../store/store.ts";

/** Serializes an object for the store. Its own resourceVersion, if any, is left out. */
export function encodeBody(object: KubeObject): Body {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _, ...meta } = metadata;
  const head = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},"metadata":{`;
  const tail = JSON.stringify(rest);
  const text = `${head}${JSON.stringify(meta).slice(1)}${tail === "{}" ? "}" : `,${tail.slice(1)}`}`;
  return { bytes: Buffer.from(text), revisionAt: Buffer.byteLength(head) };
}

const metadataHead = Buffer.from('"metadata":{"resourceVersion":"');

/** Stored bytes as a body again: their resourceVersion taken out, the rest untouched. */
export function reopenBody(value: Uint8Array): Body {
  const buffer = Buffer.from(value.buffer, value.byteOffset, value.length);
  const at = buffer.indexOf(metadataHead);
  const revisionAt = at + '"metadata":{'.length;
  const after = buffer.indexOf(",", revisionAt) + 1;
  const bytes = Buffer.concat([buffer.subarray(0, revisionAt), buffer.subarray(after)]);
  return { bytes, revisionAt };
}
