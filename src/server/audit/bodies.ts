// Requests' and answers' objects as the audit log tells them.
import { parse } from "yaml";
import { isObject } from "../../lib/json.ts";
import { mediaTypeOf, protobufType } from "../body.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";

/** A longer answer is told without its object. */
const answerBytesMax = 4 * 1024 * 1024;

const withoutOwners = (object: any) => {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
};

/** The object, or the list, without what says who owns its fields. */
export function withoutManagedFields(object: any): any {
  if (!isObject(object)) return object;
  const shown: any = isObject(object["metadata"]) ? withoutOwners(object) : object;
  if (!Array.isArray(shown.items)) return shown;
  return { ...shown, items: shown.items.map(withoutManagedFields) };
}

async function decoded(bytes: Uint8Array, type: string): Promise<unknown> {
  if (type === protobufType) {
    const { decodeProtobuf } = await import("../protobuf/decode.ts");
    return decodeProtobuf(bytes);
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  return type.includes("yaml") ? parse(text) : JSON.parse(text);
}

/** What cannot be read is left out: the server's answer tells why. */
const readable = (bytes: Uint8Array, type: string) => decoded(bytes, type).catch(() => undefined);

export async function requestObject({
  body,
  headers,
}: Pick<ApiRequest, "body" | "headers">): Promise<unknown> {
  if (!(body instanceof Uint8Array)) return body;
  return body.length > 0 ? readable(body, mediaTypeOf(headers)) : undefined;
}

const typeOf = ({ headers }: ApiResponse) => {
  const type = headers?.["content-type"];
  return mediaTypeOf({ "content-type": Array.isArray(type) ? type[0] : type });
};

export async function responseObject(answer: ApiResponse): Promise<unknown> {
  if (answer.object !== undefined) return answer.object;
  const { bytes } = answer;
  return bytes && bytes.length <= answerBytesMax ? readable(bytes, typeOf(answer)) : undefined;
}

/** A long answer's pieces, kept as they pass by. */
export class Overheard {
  #chunks: Uint8Array[] | undefined = [];
  #bytes = 0;

  take(chunk: Uint8Array) {
    this.#bytes += chunk.length;
    if (this.#bytes > answerBytesMax) this.#chunks = undefined;
    this.#chunks?.push(chunk);
  }

  object(answer: ApiResponse): Promise<unknown> {
    if (!this.#chunks) return Promise.resolve(undefined);
    return readable(Buffer.concat(this.#chunks), typeOf(answer));
  }
}
