// What a guest answers, as it goes out: in one piece where the guest has finished by the time that it yields, in
// chunks where it goes on.
import type { ServerResponse } from "node:http";
import type { BodyTarget } from "./wasi-preview2/http-bodies.ts";
import type { Fields } from "./wasi-preview2/http-fields.ts";
import type { Answer, OutgoingResponse } from "./wasi-preview2/http-messages.ts";

/** So few are worth a copy for one write less. */
const textBytesMax = 16_384;

const textOf = ({ buffer, byteOffset, length }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, length).toString("latin1");

function target(response: ServerResponse): BodyTarget {
  const abort = () => void response.destroy();
  /** More or less than was promised cannot be taken back. */
  const attempt = (work: () => void) => {
    try {
      work();
    } catch {
      abort();
    }
  };
  return {
    writable: response,
    write: (bytes) =>
      attempt(() => (bytes.length > 0 ? response.write(bytes) : response.flushHeaders())),
    end: (bytes, trailers: Fields | undefined) =>
      attempt(() => {
        if (trailers) response.addTrailers(trailers.pairs as [string, string][]);
        else if (!response.headersSent && !response.hasHeader("content-length"))
          response.setHeader("content-length", bytes.length);
        if (bytes.length > textBytesMax) response.end(bytes);
        else response.end(textOf(bytes), "latin1");
      }),
    abort,
  };
}

function begin(response: ServerResponse, { val }: { val: OutgoingResponse }) {
  response.statusCode = val.statusCode();
  for (const [name, value] of val.headers().pairs) response.appendHeader(name, value);
  response.strictContentLength = true;
  const body = val.ownBody;
  if (body) body.attach(target(response));
  else response.end();
}

/** The guest's answer; its body may be still to come. */
export function sendAnswer(response: ServerResponse, answer: Answer) {
  if (response.destroyed) return;
  try {
    if (answer.tag === "ok") return begin(response, answer);
  } catch {
    // A head that is none.
  }
  fail(response, answer.tag === "ok" ? "the handler's answer is malformed" : answer.val.tag);
}

export function fail(response: ServerResponse, text: string, status = 500) {
  if (response.headersSent) return void response.destroy();
  for (const name of response.getHeaderNames()) {
    if (name !== "connection") response.removeHeader(name);
  }
  response.writeHead(status).end(`${text}\n`);
}
