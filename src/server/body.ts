// From a request's bytes to a plain document, once. Repeated keys are kept for field validation to judge.
import { parseDocument } from "yaml";
import { isObject } from "../lib/json.ts";
import { scanJson } from "../lib/json-duplicates.ts";
import { badRequest, StatusError } from "../lib/status-error.ts";
import type { ApiRequest } from "./request.ts";

/** Largest request body, as upstream. */
export const bodyBytesMax = 3 * 1024 * 1024;

/** Deepest nesting of objects and arrays that is read: recursion behind this point stays on the stack. */
const depthMax = 500;

export interface Document {
  value: any;
  /** Keys that were given twice, as sentences: by path in JSON, by line in YAML. */
  duplicates: string[];
}

export const mediaTypeOf = (headers: ApiRequest["headers"]) =>
  (headers["content-type"] ?? "application/json").split(";")[0]!.trim().toLowerCase() ||
  "application/json";

const unsupported = (mediaType: string, accepted: string[]) =>
  new StatusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format (${mediaType}) - accepted media types include: ${accepted.join(", ")}`,
  );

export const tooLarge = () =>
  new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${bodyBytesMax}`);

const textOf = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

function parseJson(bytes: Uint8Array): Document {
  const text = textOf(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`invalid JSON: ${(error as Error).message}`);
  }
  const scan = scanJson(text);
  if (scan.depth > depthMax) throw badRequest(`json: exceeded max depth (${depthMax})`);
  const duplicates = scan.paths.map((path) => `duplicate field ${JSON.stringify(path)}`);
  return { value, duplicates };
}

/** Longest key that is told of. */
const keyCharsMax = 300;

/** The key of a mapping that begins there, without its quotes. */
function keyAt(text: string, at: number): string {
  const start = text.slice(at, at + keyCharsMax).trimStart();
  const quote = /^["']/.exec(start)?.[0];
  const end = start.indexOf(quote ?? ":", 1);
  return start.slice(quote ? 1 : 0, end < 0 ? undefined : end).trimEnd();
}

function parseYaml(bytes: Uint8Array): Document {
  const text = textOf(bytes);
  const parsed = parseDocument(text, { uniqueKeys: true, logLevel: "silent" });
  const duplicates: string[] = [];
  for (const error of parsed.errors) {
    if (error.code !== "DUPLICATE_KEY") throw badRequest(`error parsing YAML: ${error.message}`);
    const key = keyAt(text, error.pos[0]);
    duplicates.push(
      `line ${error.linePos![0].line}: key ${JSON.stringify(key)} already set in map`,
    );
  }
  try {
    return { value: parsed.toJS({ maxAliasCount: 100 }), duplicates };
  } catch (error) {
    throw badRequest(`error parsing YAML: ${(error as Error).message}`);
  }
}

const parsers: Record<string, (bytes: Uint8Array) => Document> = {
  "application/json": parseJson,
  "application/json-patch+json": parseJson,
  "application/merge-patch+json": parseJson,
  "application/strategic-merge-patch+json": parseJson,
  "application/apply-patch+yaml": parseYaml,
  "application/yaml": parseYaml,
};

/** Decoded at the door (`http/exchange.ts`), so that its tables load only where it is used. */
export const protobufType = "application/vnd.kubernetes.protobuf";

const objectTypes = ["application/json", "application/yaml", protobufType];

/** Reads the body as one of `accepted`; a decoded body is taken as it is. */
export function readDocument(request: ApiRequest, accepted = objectTypes): Document {
  const { body } = request;
  const mediaType = mediaTypeOf(request.headers);
  if (!accepted.includes(mediaType)) throw unsupported(mediaType, accepted);
  if (body !== undefined && !(body instanceof Uint8Array)) return { value: body, duplicates: [] };
  const parse = parsers[mediaType];
  if (!parse) throw unsupported(mediaType, accepted);
  if (body === undefined || body.length === 0) return { value: undefined, duplicates: [] };
  if (body.length > bodyBytesMax) throw tooLarge();
  return parse(body);
}

/** The body as one object; for subresources and reviews. Throws BadRequest for anything else. */
export function decodeBody(request: ApiRequest): any {
  const { value } = readDocument(request);
  if (!isObject(value)) throw badRequest("the request body must be an object");
  return value;
}
