// Objects in Kubernetes' binary form: `k8s\0`, then `runtime.Unknown` with the type and the message. The
// other way of `decode.ts`, from the same numbers.
import { magic, type FieldType, messageOf, messages } from "./messages.ts";
import { specialWriter } from "./special-writers.ts";
import { BackwardWriter } from "./writer.ts";

interface PlannedField {
  id: number;
  name: string;
  shape: FieldType[2];
  /** Of one value, whatever the shape. */
  type: ValueType;
}

/** A scalar's letter or a message. */
type ValueType = string | Message;

interface Message {
  /** The last first, as they are written. */
  fields: PlannedField[];
  special: ReturnType<typeof specialWriter>;
}

const planned = new Map<string, Message>();

function planOf(name: string): Message {
  const known = planned.get(name);
  if (known) return known;
  const message: Message = { fields: [], special: specialWriter(name) };
  planned.set(name, message);
  message.fields = Object.entries(messages[name] ?? {})
    .map(([id, [field, type, shape]]) => ({
      id: Number(id),
      name: field,
      shape,
      type: type.startsWith("io.") ? planOf(type) : type,
    }))
    .sort((a, b) => b.id - a.id);
  return message;
}

/** A field with one value. */
function writeSingle(writer: BackwardWriter, id: number, type: ValueType, value: any) {
  if (type === "i" || type === "b") {
    writer.varint(Number(value));
    return writer.tag(id, 0);
  }
  if (type === "d") {
    writer.double(value);
    return writer.tag(id, 1);
  }
  const before = writer.length;
  if (typeof type === "object") writeMessage(writer, type, value);
  else if (type === "s") writer.text(String(value));
  else if (type === "y") writer.bytes(Buffer.from(value, "base64"));
  else for (let i = value.length - 1; i >= 0; i--) writeSingle(writer, 1, "s", value[i]);
  writer.delimit(id, before);
}

function writeMap(
  writer: BackwardWriter,
  { id, type }: PlannedField,
  map: Record<string, unknown>,
) {
  const keys = Object.keys(map);
  for (let i = keys.length - 1; i >= 0; i--) {
    const before = writer.length;
    const value = map[keys[i]!];
    if (value !== null) writeSingle(writer, 2, type, value);
    writeSingle(writer, 1, "s", keys[i]);
    writer.delimit(id, before);
  }
}

/** A struct whose fields stand in the object itself. */
function writeInline(writer: BackwardWriter, { id, type }: PlannedField, object: any) {
  const before = writer.length;
  writeMessage(writer, type as Message, object);
  if (writer.length > before) writer.delimit(id, before);
}

const writeNamed = (writer: BackwardWriter, name: string, object: any) =>
  writeMessage(writer, planOf(name), object);

function writeMessage(writer: BackwardWriter, { fields, special }: Message, object: any) {
  if (special) return special(writer, object, writeNamed);
  for (const field of fields) {
    const { shape } = field;
    if (shape === "inline") {
      writeInline(writer, field, object);
      continue;
    }
    const value = object[field.name];
    if (value === undefined || value === null) continue;
    if (shape === "map") writeMap(writer, field, value);
    else if (shape === "list") {
      for (let i = value.length - 1; i >= 0; i--) {
        writeSingle(writer, field.id, field.type, value[i]);
      }
    } else writeSingle(writer, field.id, field.type, value);
  }
}

/** In every list. */
const itemsField = 2;
const listMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

interface Typed {
  apiVersion: string;
  kind: string;
}

const shared = new BackwardWriter();

/** What `write` writes; what it wrote before it failed is gone. */
function written(write: (writer: BackwardWriter) => void): Buffer {
  try {
    write(shared);
    return shared.take();
  } catch (error) {
    shared.take();
    throw error;
  }
}

/** True when this kind has a binary form. */
export const hasProtobuf = ({ apiVersion, kind }: Typed) =>
  messageOf(apiVersion, kind) !== undefined;

function writeType(writer: BackwardWriter, { apiVersion, kind }: Typed) {
  const before = writer.length;
  writeSingle(writer, 2, "s", kind);
  writeSingle(writer, 1, "s", apiVersion);
  writer.delimit(1, before);
  writer.bytes(magic);
}

/** The object with its type in front. Throws for kinds without a binary form; ask `hasProtobuf`. */
export function encodeProtobuf(object: Typed): Buffer {
  const type = messageOf(object.apiVersion, object.kind);
  if (!type) throw new Error(`${object.apiVersion} ${object.kind} has no protobuf message`);
  return written((writer) => {
    writeNamed(writer, type, object);
    writer.delimit(2, 0);
    writeType(writer, object);
  });
}

/** An event of a watch as a frame: its length in four bytes, then `meta/v1 WatchEvent`. */
export function encodeEvent(type: string, object: Typed): Buffer {
  const raw = encodeProtobuf(object);
  return written((writer) => {
    writer.bytes(raw);
    writer.delimit(1, 0);
    writer.delimit(2, 0);
    writeSingle(writer, 1, "s", type);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(writer.length);
    writer.bytes(length);
  });
}

/** The items of a list, as its message holds them; whole pages of a list are joined. */
export function encodeItems(item: Typed, objects: object[]): Buffer {
  const type = planOf(messageOf(item.apiVersion, item.kind)!);
  return written((writer) => {
    for (let i = objects.length - 1; i >= 0; i--) writeSingle(writer, itemsField, type, objects[i]);
  });
}

/** What stands before the items of a list, which are `itemsBytes` long. */
export const encodeListHead = (list: Typed, metadata: object, itemsBytes: number): Buffer =>
  written((writer) => {
    writeSingle(writer, 1, planOf(listMeta), metadata);
    writer.varint(writer.length + itemsBytes);
    writer.tag(2, 2);
    writeType(writer, list);
  });
