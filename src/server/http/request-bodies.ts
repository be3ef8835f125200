// Bodies of requests: read once it is known that whoever sends one may, in time, and within what all that come at
// once may take together.
import type { Readable } from "node:stream";
import type { Clock } from "../../lib/clock.ts";
import { StatusError } from "../../lib/status-error.ts";
import { bodyBytesMax, tooLarge } from "../body.ts";
import { bodiesBytesMax, requestMsMax } from "./limits.ts";

const brokeOff = () => new StatusError("BadRequest", "the request body broke off");

const tooLate = () =>
  new StatusError("Timeout", `the request's body did not come within ${requestMsMax / 1000} s`);

const tooMany = () =>
  new StatusError("TooManyRequests", "too much is being sent at once, please try again later", {
    details: { retryAfterSeconds: 1 },
  });

export class RequestBodies {
  readonly #clock: Clock;
  /** Of those that are not whole. */
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The whole body. Reads by events: leaving a `for await` loop early would destroy the stream that the
   * refusal must still be written to. What follows a body that is refused is discarded.
   */
  read(body: Readable, announced = 0): Promise<Uint8Array | undefined> {
    if (announced > bodyBytesMax) return Promise.reject(tooLarge());
    if (body.destroyed) return Promise.reject(brokeOff());
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = [];
      let size = 0;
      let isOver = false;
      const over = () => {
        if (isOver) return false;
        isOver = true;
        this.#bytes -= size;
        cancel();
        return true;
      };
      const refuse = (error: Error) => {
        if (!over()) return;
        chunks.length = 0;
        body.removeListener("data", take);
        reject(error);
      };
      const take = (chunk: Uint8Array) => {
        size += chunk.length;
        this.#bytes += chunk.length;
        if (size > bodyBytesMax) refuse(tooLarge());
        else if (this.#bytes > bodiesBytesMax) refuse(tooMany());
        else chunks.push(chunk);
      };
      const cancel = this.#clock.after(requestMsMax, () => refuse(tooLate()));
      body.on("error", refuse);
      body.on("close", () => refuse(brokeOff()));
      body.on("end", () => {
        if (over()) resolve(chunks.length < 2 ? chunks[0] : Buffer.concat(chunks));
      });
      body.on("data", take);
    });
  }
}
