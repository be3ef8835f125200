// Requests of this process to other servers: objects become bytes on the way out, and what comes back
// becomes objects, as from this server itself.
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { ApiRequest, ApiResponse } from "../request.ts";

/** The request with its body in bytes. */
export function encoded(request: ApiRequest): ApiRequest {
  if (!request.decoded || request.body === undefined) return request;
  const bytes = Buffer.from(JSON.stringify(request.body));
  const headers = {
    "content-type": "application/json",
    ...request.headers,
    "content-length": String(bytes.length),
  };
  return { ...request, headers, upload: Readable.from([bytes]) };
}

async function* eventsOf(stream: Readable) {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (line !== "") yield [JSON.parse(line) as { type: string; object: any }];
  }
}

/** The answer as objects or, for a watch, as events. */
export async function decodedAnswer(
  { query }: ApiRequest,
  response: ApiResponse,
): Promise<ApiResponse> {
  const { code } = response;
  const stream = response.stream as Readable;
  if (code === 200 && query.get("watch") === "true") return { code, events: eventsOf(stream) };
  const body = await text(stream);
  try {
    return { code, object: JSON.parse(body) };
  } catch {
    const message = body.trim() || `the server answered with ${code}`;
    const object = { kind: "Status", status: "Failure", reason: "InternalError", message, code };
    return { code, object };
  }
}
