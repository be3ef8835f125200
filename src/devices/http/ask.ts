// One question by HTTP to a device: what it answers is limited, and where it sends one to is not followed.
import { request as requestHttp } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import type { Trust } from "../network/trust.ts";

const bodyBytesMax = 512 * 1024;

export interface HttpQuestion {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** The answer's body is not waited for: it may be a picture that never ends. */
  isHeadEnough?: boolean;
  /** Default: the authorities that Node knows. */
  trust?: Trust | undefined;
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingMessage["headers"];
  body: Buffer;
}

async function limited(response: IncomingMessage): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response) {
    bytes += part.length;
    if (bytes > bodyBytesMax) throw new Error("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Throws when there is no answer before the signal. */
export async function askHttp(url: string | URL, question: HttpQuestion): Promise<HttpAnswer> {
  const { method = "GET", headers = {}, body, isHeadEnough = false, trust, signal } = question;
  const options = { method, headers, signal, agent: false as const };
  const isTls = new URL(url).protocol === "https:";
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = isTls ? requestHttps(url, { ...options, ...trust }) : requestHttp(url, options);
    asked.on("response", resolve).on("error", reject).end(body);
  });
  const head = { status: response.statusCode ?? 0, headers: response.headers };
  if (!isHeadEnough) return { ...head, body: await limited(response) };
  response.on("error", () => {}).destroy();
  return { ...head, body: Buffer.alloc(0) };
}
