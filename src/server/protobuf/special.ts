// Messages whose JSON is not an object of their fields: times, quantities, raw JSON, alternatives.
import { timestamp } from "../../lib/clock.ts";
import { fieldsOf } from "./wire.ts";

type Message = (type: string, bytes: Uint8Array) => any;
type Read = (bytes: Uint8Array, message: Message) => unknown;

const text = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

/** Go's zero time, year 1. */
const zeroSeconds = -62135596800;

const time =
  (micro: boolean): Read =>
  (bytes) => {
    let seconds: number | undefined;
    let nanos = 0;
    for (const { id, number } of fieldsOf(bytes)) {
      if (id === 1) seconds = number;
      if (id === 2) nanos = number;
    }
    if (seconds === undefined || seconds === zeroSeconds) return null;
    const text = timestamp(seconds * 1000);
    if (!micro) return text;
    return `${text.slice(0, -1)}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
  };

/** The first field as text. */
const string: Read = (bytes) => {
  for (const field of fieldsOf(bytes)) return text(field.bytes);
  return undefined;
};

/** The first field as JSON. */
const json: Read = (bytes) => {
  for (const field of fieldsOf(bytes)) return JSON.parse(text(field.bytes));
  return undefined;
};

const intOrString: Read = (bytes) => {
  let isText = false;
  let number = 0;
  let string = "";
  for (const field of fieldsOf(bytes)) {
    if (field.id === 1) isText = field.number === 1;
    if (field.id === 2) number = field.number;
    if (field.id === 3) string = text(field.bytes);
  }
  return isText ? string : number;
};

const schema = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

const schemaOrArray: Read = (bytes, message) => {
  const list: unknown[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.id === 1) return message(schema, field.bytes);
    list.push(message(schema, field.bytes));
  }
  return list;
};

const schemaOrBool: Read = (bytes, message) => {
  let allows = false;
  for (const field of fieldsOf(bytes)) {
    if (field.id === 1) allows = field.number !== 0;
    else return message(schema, field.bytes);
  }
  return allows;
};

const schemaOrStrings: Read = (bytes, message) => {
  const list: string[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.id === 1) return message(schema, field.bytes);
    list.push(text(field.bytes));
  }
  return list;
};

const readers: Record<string, Read> = {
  "apimachinery.pkg.apis.meta.v1.Time": time(false),
  "apimachinery.pkg.apis.meta.v1.MicroTime": time(true),
  "apimachinery.pkg.apis.meta.v1.FieldsV1": json,
  "apimachinery.pkg.api.resource.Quantity": string,
  "apimachinery.pkg.util.intstr.IntOrString": intOrString,
  "apimachinery.pkg.runtime.RawExtension": json,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": json,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": schemaOrArray,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": schemaOrBool,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": schemaOrStrings,
};

/** How a message of this type is read, when it is not an object of its fields. */
export const special = (type: string): Read | undefined => readers[type.slice("io.k8s.".length)];
