// Bodies in Kubernetes' binary form (`application/vnd.kubernetes.protobuf`), as typed clients send them:
// read into the same plain documents that JSON bodies are. Answers are JSON, which every such client
// also takes.
import { StatusError, badRequest } from "../../lib/status-error.ts";
import { protobufType } from "../body.ts";
import { magic, messageOf, messages } from "./messages.ts";
import { special } from "./special.ts";
import { double, fieldsOf, packed, type Field } from "./wire.ts";

/** Deepest nesting that is read. */
const depthMax = 200;

const text = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

function single(type: string, field: Field, depth: number): unknown {
  switch (type) {
    case "s":
      return text(field.bytes);
    case "y":
      return Buffer.from(field.bytes).toString("base64");
    case "i":
      return field.number;
    case "b":
      return field.number !== 0;
    case "d":
      return double(field.bytes);
    case "wrapped":
      return [...fieldsOf(field.bytes)].map((item) => text(item.bytes));
    default:
      return message(type, field.bytes, depth + 1);
  }
}

function mapEntry(target: any, name: string, type: string, field: Field, depth: number) {
  let key = "";
  let value: unknown = type === "s" || type === "y" ? "" : undefined;
  for (const part of fieldsOf(field.bytes)) {
    if (part.id === 1) key = text(part.bytes);
    else value = single(type, part, depth);
  }
  const map = (target[name] ??= {});
  Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
}

const unset = (name: string, value: unknown, shape: string | undefined) =>
  value === undefined ||
  value === null ||
  (shape === "plain" && (value === 0 || value === false || value === "")) ||
  (name === "targetPort" && value === 0);

function message(type: string, bytes: Uint8Array, depth: number): any {
  if (depth > depthMax) throw badRequest(`protobuf: exceeded max depth (${depthMax})`);
  const read = special(type);
  if (read) return read(bytes, (inner, content) => message(inner, content, depth + 1));
  const fields = messages[type];
  if (!fields) throw badRequest(`protobuf: message ${type} is not known`);
  const object: any = {};
  for (const field of fieldsOf(bytes)) {
    const known = fields[field.id];
    if (!known) continue;
    const [name, inner, shape] = known;
    if (shape === "map") mapEntry(object, name, inner, field, depth);
    else if (shape === "inline") Object.assign(object, message(inner, field.bytes, depth + 1));
    else if (shape === "list" && inner === "i" && field.wire === 2) {
      (object[name] ??= []).push(...packed(field.bytes));
    } else if (shape === "list") (object[name] ??= []).push(single(inner, field, depth));
    else {
      const value = single(inner, field, depth);
      if (!unset(name, value, shape)) object[name] = value;
    }
  }
  return object;
}

/** `runtime.Unknown`: the type and the raw message. */
function envelope(bytes: Uint8Array) {
  let apiVersion = "";
  let kind = "";
  let raw: Uint8Array = new Uint8Array(0);
  for (const { id, bytes: content } of fieldsOf(bytes)) {
    if (id === 2) raw = content;
    if (id !== 1) continue;
    for (const field of fieldsOf(content)) {
      if (field.id === 1) apiVersion = text(field.bytes);
      if (field.id === 2) kind = text(field.bytes);
    }
  }
  return { apiVersion, kind, raw };
}

/** The document in a binary body. Throws BadRequest, or UnsupportedMediaType for kinds without a schema. */
export function decodeProtobuf(bytes: Uint8Array): Record<string, any> {
  if (!magic.equals(bytes.subarray(0, magic.length))) {
    throw badRequest("the body is not in Kubernetes' protobuf form: it does not begin with k8s\\0");
  }
  try {
    const { apiVersion, kind, raw } = envelope(bytes.subarray(magic.length));
    const type = messageOf(apiVersion, kind);
    if (!type) {
      throw new StatusError(
        "UnsupportedMediaType",
        `the body of the request was in ${protobufType}, which is not served for ${kind} of ${apiVersion}`,
      );
    }
    return { apiVersion, kind, ...message(type, raw, 0) };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw badRequest(`error decoding protobuf: ${(error as Error).message}`);
  }
}
