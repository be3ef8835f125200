// CoAP (RFC 7252) as far as asking for `/.well-known/core` goes, and the links in its answer (RFC 6690). Pure.
import { AnswerError, reading } from "../network/answer-error.ts";

const versionAndType = 0x50;
const get = 0x01;
const content = 0x45;
const uriPath = 11;
const payloadMark = 0xff;
const linksMax = 256;

/** A non-confirmable GET, so that a group may be asked. */
export function askCore(messageId: number, token: Buffer): Buffer {
  const header = Buffer.from([versionAndType | token.length, get, messageId >> 8, messageId & 255]);
  const options = [".well-known", "core"].map((part, i) =>
    Buffer.concat([Buffer.from([((i === 0 ? uriPath : 0) << 4) | part.length]), Buffer.from(part)]),
  );
  return Buffer.concat([header, token, ...options]);
}

/** Bytes of an option's delta or length beyond its nibble. */
const extra = (nibble: number) => (nibble === 13 ? 1 : nibble === 14 ? 2 : 0);

/** The payload of an answer with this token. Throws AnswerError for what is none. */
export const contentOf = (bytes: Buffer, token: Buffer) => reading(() => payloadOf(bytes, token));

function payloadOf(bytes: Buffer, token: Buffer): Buffer {
  const tokenLength = bytes.readUInt8(0) & 15;
  if (bytes.readUInt8(0) >> 6 !== 1 || bytes.readUInt8(1) !== content)
    throw new AnswerError("no content");
  if (!bytes.subarray(4, 4 + tokenLength).equals(token)) throw new AnswerError("another's answer");
  let at = 4 + tokenLength;
  while (at < bytes.length) {
    const head = bytes.readUInt8(at++);
    if (head === payloadMark) return bytes.subarray(at);
    const [delta, length] = [head >> 4, head & 15];
    if (delta === 15 || length === 15) throw new AnswerError("a broken option");
    at += extra(delta);
    const more = extra(length);
    const size =
      more === 0 ? length : more === 1 ? bytes.readUInt8(at) + 13 : bytes.readUInt16BE(at) + 269;
    at += more + size;
  }
  return Buffer.alloc(0);
}

export interface Link {
  path: string;
  /** `rt`. */
  types: string[];
}

/** `</temp>;rt="temperature c";if=sensor,</light>` */
export function linksIn(text: string): Link[] {
  const links: Link[] = [];
  for (const [, path = "", attributes = ""] of text.matchAll(
    /<([^<>]{0,255})>((?:;[^;,"]{1,255}(?:"[^"]{0,255}")?)*)/g,
  )) {
    if (links.length >= linksMax) break;
    const types = /;rt="?([^";]*)"?/.exec(attributes)?.[1] ?? "";
    links.push({ path, types: types.split(/\s+/).filter(Boolean) });
  }
  return links;
}
