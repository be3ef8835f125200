// Objects in Kubernetes' binary form: `k8s\0`, then `runtime.Unknown` with the type and the message. The
// other way of `decode.ts`, from the same numbers.
import { magic, type FieldType, messageOf, messages } from "./messages.ts";
import { specialWriter } from "./special-writers.ts";
import { BackwardWriter } from "./writer.ts";

interface PlannedField {
  id: number;
  name: string;
  type: string;
  shape: FieldType[2];
}

const plans = new Map<string, PlannedField[]>();

/** A message's fields, the last first, as they are written. */
function planOf(type: string): PlannedField[] {
  let plan = plans.get(type);
  if (!plan) {
    plan = Object.entries(messages[type] ?? {})
      .map(([id, [name, inner, shape]]) => ({ id: Number(id), name, type: inner, shape }))
      .sort((a, b) => b.id - a.id);
    plans.set(type, plan);
  }
  return plan;
}

/** A field with one value. */
function writeSingle(writer: BackwardWriter, id: number, type: string, value: any) {
  if (type === "i" || type === "b") {
    writer.varint(Number(value));
    return writer.tag(id, 0);
  }
  if (type === "d") {
    writer.double(value);
    return writer.tag(id, 1);
  }
  const before = writer.length;
  if (type === "s") writer.text(String(value));
  else if (type === "y") writer.bytes(Buffer.from(value, "base64"));
  else if (type === "wrapped") {
    for (let i = value.length - 1; i >= 0; i--) writeSingle(writer, 1, "s", value[i]);
  } else writeMessage(writer, type, value);
  writer.delimit(id, before);
}

function writeMap(
  writer: BackwardWriter,
  { id, type }: PlannedField,
  map: Record<string, unknown>,
) {
  for (const [key, value] of Object.entries(map).toReversed()) {
    const before = writer.length;
    if (value !== null) writeSingle(writer, 2, type, value);
    writeSingle(writer, 1, "s", key);
    writer.delimit(id, before);
  }
}

/** A struct whose fields stand in the object itself. */
function writeInline(writer: BackwardWriter, { id, type }: PlannedField, object: any) {
  const before = writer.length;
  writeMessage(writer, type, object);
  if (writer.length > before) writer.delimit(id, before);
}

function writeMessage(writer: BackwardWriter, type: string, object: any) {
  const special = specialWriter(type);
  if (special) return special(writer, object, writeMessage);
  for (const field of planOf(type)) {
    if (field.shape === "inline") {
      writeInline(writer, field, object);
      continue;
    }
    const value = object[field.name];
    if (value === undefined || value === null) continue;
    if (field.shape === "map") writeMap(writer, field, value);
    else if (field.shape === "list") {
      for (let i = value.length - 1; i >= 0; i--) {
        writeSingle(writer, field.id, field.type, value[i]);
      }
    } else writeSingle(writer, field.id, field.type, value);
  }
}

interface Typed {
  apiVersion: string;
  kind: string;
}

const shared = new BackwardWriter();

/** True when this kind has a binary form. */
export const hasProtobuf = ({ apiVersion, kind }: Typed) =>
  messageOf(apiVersion, kind) !== undefined;

/** The object with its type in front. Throws for kinds without a binary form; ask `hasProtobuf`. */
export function encodeProtobuf(object: Typed): Buffer {
  const { apiVersion, kind } = object;
  const type = messageOf(apiVersion, kind);
  if (!type) throw new Error(`${apiVersion} ${kind} has no protobuf message`);
  writeMessage(shared, type, object);
  shared.delimit(2, 0);
  const before = shared.length;
  writeSingle(shared, 2, "s", kind);
  writeSingle(shared, 1, "s", apiVersion);
  shared.delimit(1, before);
  shared.bytes(magic);
  return shared.take();
}

/** An event of a watch as a frame: its length in four bytes, then `meta/v1 WatchEvent`. */
export function encodeEvent(type: string, object: Typed): Buffer {
  const raw = encodeProtobuf(object);
  shared.bytes(raw);
  shared.delimit(1, 0);
  shared.delimit(2, 0);
  writeSingle(shared, 1, "s", type);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(shared.length);
  shared.bytes(length);
  return shared.take();
}
