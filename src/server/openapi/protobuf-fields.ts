// How values of an OpenAPI document become fields of gnostic's protobuf messages. A `Write` writes one
// field, its number given.
import type { BackwardWriter } from "../protobuf/writer.ts";

export type Write = (writer: BackwardWriter, id: number, value: any) => void;

/** A message's fields by their name in JSON. */
export type Fields = Record<string, [id: number, write: Write]>;

function delimited(writer: BackwardWriter, id: number, content: () => void) {
  const before = writer.length;
  content();
  writer.delimit(id, before);
}

export const text: Write = (writer, id, value) =>
  delimited(writer, id, () => writer.text(String(value)));

export const whole: Write = (writer, id, value) => {
  writer.varint(Number(value));
  writer.tag(id, 0);
};

export const double: Write = (writer, id, value) => {
  writer.double(value);
  writer.tag(id, 1);
};

/** `Any`: the value as YAML, of which JSON is a part. */
export const any: Write = (writer, id, value) =>
  delimited(writer, id, () => text(writer, 2, JSON.stringify(value)));

export const list =
  (item: Write): Write =>
  (writer, id, values) => {
    for (const value of values.toReversed()) item(writer, id, value);
  };

/** A map as a list of names and values. */
export const named =
  (item: Write): Write =>
  (writer, id, map) => {
    for (const [name, value] of Object.entries(map).toReversed()) {
      delimited(writer, id, () => {
        item(writer, 2, value);
        text(writer, 1, name);
      });
    }
  };

/** A message with nothing but this field. */
export const wrapped =
  (inner: Write, at = 1): Write =>
  (writer, id, value) =>
    delimited(writer, id, () => inner(writer, at, value));

/** One of several messages, by what the value is. */
export const oneOf =
  (choose: (value: any) => Write): Write =>
  (writer, id, value) =>
    choose(value)(writer, id, value);

/** `fields` is a function, since messages contain each other. `extensions` is the field of `x-...` keys. */
export const message =
  (fields: () => Fields, extensions?: number): Write =>
  (writer, id, value) =>
    delimited(writer, id, () => {
      const known = fields();
      for (const [key, inner] of Object.entries(value)) {
        const field = known[key];
        if (field) field[1](writer, field[0], inner);
        else if (extensions !== undefined && key.startsWith("x-")) {
          named(any)(writer, extensions, { [key]: inner });
        }
      }
    });
