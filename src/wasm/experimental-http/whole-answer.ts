// A request whose answer is read to its end.
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

export interface HttpAsked {
  url: string;
  method: string;
  headers: [string, string][];
  body: Uint8Array;
  timeoutMs: number;
}

export interface HttpAnswer {
  status: number;
  headers: [string, string][];
  body: Uint8Array;
}

const bodyBytesMax = 64 * 2 ** 20;

export async function wholeAnswer(asked: HttpAsked): Promise<HttpAnswer> {
  const { url, method, headers, body, timeoutMs } = asked;
  const send = url.startsWith("https:") ? httpsRequest : httpRequest;
  const byName: Record<string, string[]> = {};
  for (const [name, value] of headers) (byName[name] ??= []).push(value);
  const request = send(url, { method, headers: byName, timeout: timeoutMs });
  request.on("timeout", () => request.destroy(new Error("nothing came")));
  request.end(body);
  const [response] = await once(request, "response");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > bodyBytesMax) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  const raw: string[] = response.rawHeaders;
  const pairs = raw.flatMap((name, i): [string, string][] =>
    i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1]!]] : [],
  );
  return { status: response.statusCode, headers: pairs, body: Buffer.concat(chunks) };
}
