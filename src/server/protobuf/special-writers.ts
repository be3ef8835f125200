// Messages whose JSON is not an object of their fields, on their way out; `special.ts` reads them.
import { isObject } from "../../lib/json.ts";
import type { BackwardWriter } from "./writer.ts";

type WriteMessage = (writer: BackwardWriter, type: string, value: any) => void;
type Write = (writer: BackwardWriter, value: any, message: WriteMessage) => void;

function textField(writer: BackwardWriter, id: number, value: string) {
  const before = writer.length;
  writer.text(value);
  writer.delimit(id, before);
}

function numberField(writer: BackwardWriter, id: number, value: number) {
  writer.varint(value);
  writer.tag(id, 0);
}

/** RFC 3339 with up to nine digits behind the second. */
const time: Write = (writer, value: string) => {
  const ms = Date.parse(value);
  if (Number.isNaN(ms)) return;
  const fraction = /\.(\d{1,9})/.exec(value)?.[1] ?? "";
  const nanos = Number(fraction.padEnd(9, "0") || 0);
  if (nanos > 0) numberField(writer, 2, nanos);
  numberField(writer, 1, Math.floor(ms / 1000));
};

const text: Write = (writer, value) => textField(writer, 1, String(value));
const json: Write = (writer, value) => textField(writer, 1, JSON.stringify(value));

const intOrString: Write = (writer, value) => {
  if (typeof value === "string") {
    textField(writer, 3, value);
    numberField(writer, 1, 1);
    return;
  }
  numberField(writer, 2, value);
  numberField(writer, 1, 0);
};

const schema = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

function schemaField(writer: BackwardWriter, id: number, value: any, message: WriteMessage) {
  const before = writer.length;
  message(writer, schema, value);
  writer.delimit(id, before);
}

const schemaOrArray: Write = (writer, value, message) => {
  if (!Array.isArray(value)) return schemaField(writer, 1, value, message);
  for (const one of value.toReversed()) schemaField(writer, 2, one, message);
};

const schemaOrBool: Write = (writer, value, message) => {
  if (isObject(value)) schemaField(writer, 2, value, message);
  numberField(writer, 1, value === false ? 0 : 1);
};

const schemaOrStrings: Write = (writer, value, message) => {
  if (!Array.isArray(value)) return schemaField(writer, 1, value, message);
  for (const one of value.toReversed()) textField(writer, 2, one);
};

const writers: Record<string, Write> = {
  "apimachinery.pkg.apis.meta.v1.Time": time,
  "apimachinery.pkg.apis.meta.v1.MicroTime": time,
  "apimachinery.pkg.apis.meta.v1.FieldsV1": json,
  "apimachinery.pkg.api.resource.Quantity": text,
  "apimachinery.pkg.util.intstr.IntOrString": intOrString,
  "apimachinery.pkg.runtime.RawExtension": json,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": json,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": schemaOrArray,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": schemaOrBool,
  "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": schemaOrStrings,
};

/** How a message of this type is written, when it is not an object of its fields. */
export const specialWriter = (type: string): Write | undefined =>
  writers[type.slice("io.k8s.".length)];
