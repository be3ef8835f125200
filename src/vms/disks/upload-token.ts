// Tokens with which somebody may fill one claim for a while. They are good for this process alone. Pure, but for
// the key.
import { createHmac, timingSafeEqual } from "node:crypto";

export interface UploadClaim {
  namespace: string;
  name: string;
}

const lifeMs = 5 * 60_000;

export class UploadTokens {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  issue(claim: UploadClaim, now: number): string {
    const body = Buffer.from(JSON.stringify({ ...claim, until: now + lifeMs })).toString(
      "base64url",
    );
    return `${body}.${this.#sign(body)}`;
  }

  /** Undefined for one that is none, or is not good any more. */
  read(token: string, now: number): UploadClaim | undefined {
    const [body = "", signature = ""] = token.split(".");
    const wanted = Buffer.from(this.#sign(body));
    const given = Buffer.from(signature);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
    const { namespace, name, until } = JSON.parse(Buffer.from(body, "base64url").toString());
    return now < until ? { namespace, name } : undefined;
  }

  #sign(body: string): string {
    return createHmac("sha256", this.#key).update(body).digest("base64url");
  }
}
