// The keys of an OpenID issuer: found by discovery when they are first needed, asked for again when a token
// names a key that is not among them, which is how issuers rotate.
import { get } from "node:https";
import type { JSONWebKeySet } from "jose";
import type { Clock } from "../../../lib/clock.ts";
import type { JwtAuthenticator } from "./configuration.ts";

const answerMsMax = 10_000;
const answerBytesMax = 2 ** 20;
/** An issuer is not asked more often, whatever tokens name. */
const askAgainMs = 10_000;

function getJson(url: string, ca: string | undefined): Promise<any> {
  return new Promise((resolve, reject) => {
    const options = { timeout: answerMsMax, signal: AbortSignal.timeout(answerMsMax) };
    const request = get(url, { ...options, ...(ca && { ca }) }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > answerBytesMax) request.destroy(new Error(`${url} answers too much`));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200) {
          return reject(new Error(`${url} answers ${response.statusCode}`));
        }
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch {
          reject(new Error(`${url} does not answer with JSON`));
        }
      });
    });
    request.on("error", reject);
  });
}

export class IssuerKeys {
  readonly #issuer: JwtAuthenticator["issuer"];
  readonly #clock: Clock;
  #keys: JSONWebKeySet | undefined;
  #asking: Promise<JSONWebKeySet> | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(issuer: JwtAuthenticator["issuer"], clock: Clock) {
    this.#issuer = issuer;
    this.#clock = clock;
  }

  /** Throws when the issuer does not answer and has not before. */
  async holding(keyId: string | undefined): Promise<JSONWebKeySet> {
    const has = this.#keys?.keys.some(({ kid }) => keyId === undefined || kid === keyId);
    const isEarly = this.#clock.monotonic() - this.#askedMs < askAgainMs;
    if (this.#keys && (has || isEarly)) return this.#keys;
    if (isEarly && !this.#asking) throw new Error(`${this.#issuer.url} did not answer just now`);
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<JSONWebKeySet> {
    this.#askedMs = this.#clock.monotonic();
    const { url, discoveryURL, certificateAuthority } = this.#issuer;
    const where = discoveryURL ?? `${url.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const found = await getJson(where, certificateAuthority);
    if (found?.issuer !== url)
      throw new Error(`${where} is of the issuer ${found?.issuer}, not ${url}`);
    if (!String(found.jwks_uri).startsWith("https://"))
      throw new Error(`${where} has no https jwks_uri`);
    const keys = await getJson(found.jwks_uri, certificateAuthority);
    if (!Array.isArray(keys?.keys)) throw new Error(`${found.jwks_uri} has no keys`);
    return (this.#keys = keys);
  }
}
