// wasi_experimental_http, by which Krustlet's modules asked the network before there was wasi:http.
import { FileError } from "../files/file-error.ts";
import type { GuestMemory } from "../wasi-preview1/guest-memory.ts";
import type { Calls } from "../wasi-preview1/guest.ts";
import { WebAssembly } from "../web-assembly.ts";
import type { HttpLimits } from "./limits.ts";
import { wholeAnswer } from "./whole-answer.ts";
import type { HttpAnswer } from "./whole-answer.ts";

const errors = {
  success: 0,
  invalidHandle: 1,
  memoryAccess: 3,
  bufferTooSmall: 4,
  headerNotFound: 5,
  utf8: 6,
  destinationNotAllowed: 7,
  invalidMethod: 8,
  invalidEncoding: 9,
  invalidUrl: 10,
  request: 11,
  tooManySessions: 13,
};

class HttpError extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`wasi_experimental_http ${code}`);
    this.code = code;
  }
}

const fail = (name: keyof typeof errors): never => {
  throw new HttpError(errors[name]);
};

function codeOf(error: unknown): number {
  if (error instanceof HttpError) return error.code;
  if (error instanceof FileError)
    return error.code === "EILSEQ" ? errors.utf8 : errors.memoryAccess;
  if (error instanceof RangeError) return errors.memoryAccess;
  throw error;
}

interface Session {
  answer: HttpAnswer;
  read: number;
}

const timeoutMs = 60_000;
const token = /^[!#$%&'*+\-.^_`|~\w]+$/;

/** Lines of `name:value`. */
function headersIn(text: string): [string, string][] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const at = line.indexOf(":");
      if (at < 1 || !token.test(line.slice(0, at))) fail("invalidEncoding");
      return [line.slice(0, at), line.slice(at + 1).trim()];
    });
}

/** Resolves with the answer. `limits` say where to. */
async function ask(
  { url, method, headers }: { url: string; method: string; headers: string },
  body: Uint8Array,
  { allowed }: HttpLimits,
): Promise<HttpAnswer> {
  if (!URL.canParse(url)) fail("invalidUrl");
  if (!token.test(method)) fail("invalidMethod");
  if (!allowed.includes(new URL(url).origin)) fail("destinationNotAllowed");
  const argument = { url, method, headers: headersIn(headers), body, timeoutMs };
  return wholeAnswer(argument).catch(() => fail("request"));
}

export function experimentalHttpCalls(memory: GuestMemory, limits: HttpLimits) {
  const sessions = new Map<number, Session>();
  let last = 0;
  const session = (handle: number) => sessions.get(handle) ?? fail("invalidHandle");
  const put = (bytes: Uint8Array, pointer: number, length: number, written: number) => {
    if (bytes.length > length >>> 0) fail("bufferTooSmall");
    memory.bytes(pointer, bytes.length).set(bytes);
    memory.u32(written, bytes.length);
  };
  const req = async (...words: number[]) => {
    const [url, urlLength, method, methodLength, headers, headersLength] = words as [
      ...[number, number, number, number, number, number],
    ];
    const [body, bodyLength, status, handle] = words.slice(6) as [number, number, number, number];
    if (sessions.size >= limits.concurrent) fail("tooManySessions");
    const asked = {
      url: memory.text(url, urlLength),
      method: memory.text(method, methodLength),
      headers: memory.text(headers, headersLength),
    };
    const answer = await ask(asked, Uint8Array.from(memory.bytes(body, bodyLength)), limits);
    sessions.set(++last, { answer, read: 0 });
    memory.u16(status, answer.status);
    memory.u32(handle, last);
  };
  const calls = {
    close(handle: number) {
      sessions.delete(handle);
    },
    header_get(...words: number[]) {
      const [handle, name, nameLength, value, valueLength, written] = words as [
        ...[number, number, number, number, number, number],
      ];
      const wanted = memory.text(name, nameLength).toLowerCase();
      const found = session(handle).answer.headers.find(([one]) => one === wanted);
      if (!found) return fail("headerNotFound");
      put(Buffer.from(found[1], "latin1"), value, valueLength, written);
    },
    headers_get_all(handle: number, buffer: number, length: number, written: number) {
      const lines = session(handle).answer.headers.map(([name, value]) => `${name}:${value}\n`);
      put(Buffer.from(lines.join(""), "latin1"), buffer, length, written);
    },
    body_read(handle: number, buffer: number, length: number, read: number) {
      const one = session(handle);
      const part = one.answer.body.subarray(one.read, one.read + (length >>> 0));
      put(part, buffer, length, read);
      one.read += part.length;
    },
  };
  const answering = ([name, call]: [string, Calls[string]]) => [
    name,
    (...words: number[]) => {
      try {
        return call!(...words) ?? errors.success;
      } catch (error) {
        return codeOf(error);
      }
    },
  ];
  return {
    ...(Object.fromEntries(Object.entries(calls).map(answering)) as typeof calls),
    req: (...words: number[]) => req(...words).then(() => errors.success, codeOf),
  };
}

/** For a guest whose `_start` may wait: it does while it asks. */
export function experimentalHttpImports(memory: GuestMemory, limits: HttpLimits) {
  const { req, ...calls } = experimentalHttpCalls(memory, limits);
  return { ...calls, req: new WebAssembly.Suspending(req) };
}
