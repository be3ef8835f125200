// SNMP v2c as far as a GET goes (RFC 3416), in BER. Pure.
import { AnswerError, reading } from "../network/answer-error.ts";

const [integer, octets, nil, oidTag, sequence, getRequest, getResponse] = [
  0x02, 0x04, 0x05, 0x06, 0x30, 0xa0, 0xa2,
];
const v2c = 1;

function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 128 ? [length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return tlv(integer, bytes);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = rest.flatMap((number) => {
    const septets = [number & 127];
    for (let left = number >>> 7; left > 0; left >>>= 7) septets.unshift(128 | (left & 127));
    return septets;
  });
  return tlv(oidTag, Buffer.from([first * 40 + second, ...bytes]));
}

export function getMessage(community: string, id: number, oids: string[]): Buffer {
  const bindings = oids.map((one) => tlv(sequence, oid(one), tlv(nil)));
  const pdu = tlv(getRequest, int(id), int(0), int(0), tlv(sequence, ...bindings));
  return tlv(sequence, int(v2c), tlv(octets, Buffer.from(community)), pdu);
}

interface Element {
  tag: number;
  body: Buffer;
}

/** The elements in a row; throws for what is none. */
export function elements(bytes: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes.readUInt8(at);
    let length = bytes.readUInt8(at + 1);
    at += 2;
    if (length > 127) {
      const more = length & 127;
      if (more === 0 || more > 4) throw new AnswerError("a length that nobody reads");
      length = bytes.readUIntBE(at, more);
      at += more;
    }
    if (at + length > bytes.length) throw new AnswerError("an element that does not end");
    found.push({ tag, body: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

function oidText(body: Buffer): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of body.subarray(1)) {
    number = number * 128 + (byte & 127);
    if (byte < 128) {
      numbers.push(number);
      number = 0;
    }
  }
  const [first = 0] = body;
  return [Math.floor(first / 40), first % 40, ...numbers].join(".");
}

function shown({ tag, body }: Element): string | undefined {
  if (tag === octets) return body.toString("utf8").replaceAll("\0", "");
  if (tag === oidTag) return oidText(body);
  return tag === integer ? numberIn({ tag, body })?.toString() : undefined;
}

function parts(element: Element | undefined): Element[] {
  if (!element) throw new AnswerError("the answer ends too early");
  return elements(element.body);
}

const numberIn = (element: Element | undefined) =>
  element?.body.length ? element.body.readIntBE(0, Math.min(element.body.length, 6)) : undefined;

function readValues(bytes: Buffer, id: number): Map<string, string> {
  const [, , pdu] = parts(elements(bytes)[0]);
  if (pdu?.tag !== getResponse) throw new AnswerError("no answer");
  const [requestId, status, , bindings] = parts(pdu);
  if (numberIn(requestId) !== id) throw new AnswerError("another's answer");
  if (numberIn(status) !== 0) throw new AnswerError("a refusal");
  const values = new Map<string, string>();
  for (const binding of parts(bindings)) {
    const [name, value] = parts(binding);
    const text = value && shown(value);
    if (name && text !== undefined) values.set(oidText(name.body), text);
  }
  return values;
}

/** Values by OID of an answer to `id`. Throws AnswerError for what is none. */
export const valuesIn = (bytes: Buffer, id: number) => reading(() => readValues(bytes, id));
