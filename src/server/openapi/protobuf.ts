// An OpenAPI document in gnostic's binary form, which is smaller and which older clients ask for first.
import { BackwardWriter } from "../protobuf/writer.ts";
import type { Fields } from "./protobuf-fields.ts";
import { documentV2 } from "./protobuf-v2.ts";
import { documentV3 } from "./protobuf-v3.ts";

function encode(fields: Fields, document: Record<string, any>): Buffer {
  const writer = new BackwardWriter();
  for (const [key, [id, write]] of Object.entries(fields)) {
    if (document[key] !== undefined) write(writer, id, document[key]);
  }
  return writer.take();
}

export const encodeV2 = (document: object) => encode(documentV2, document);
export const encodeV3 = (document: object) => encode(documentV3, document);
