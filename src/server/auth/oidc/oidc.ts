// Users of other people's issuers, by their ID tokens.
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import type { User } from "../../request.ts";
import { compileClaims } from "./claims.ts";
import type { Claims } from "./claims.ts";
import type { JwtAuthenticator } from "./configuration.ts";
import { IssuerKeys } from "./issuer.ts";

/** Signed with a key pair: nobody but the issuer can make one. */
const algorithms = ["RS", "ES", "PS"].flatMap((kind) => [256, 384, 512].map((bits) => kind + bits));

const tokenCharactersMax = 16 * 1024;

export type VerifyIdToken = (token: string) => Promise<User | undefined>;

interface Verifier {
  issuer: JwtAuthenticator["issuer"];
  keys: IssuerKeys;
  userOf: (claims: Claims) => User;
}

const issuerOf = (token: string): string | undefined => {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
};

async function verify({ issuer, keys, userOf }: Verifier, token: string, nowMs: number) {
  const { kid } = decodeProtectedHeader(token);
  const { payload } = await jwtVerify(token, createLocalJWKSet(await keys.holding(kid)), {
    issuer: issuer.url,
    audience: issuer.audiences,
    algorithms,
    currentDate: new Date(nowMs),
    requiredClaims: ["exp"],
  });
  return userOf(payload);
}

/** Gives undefined for a token that is nobody's here; why one was refused is in the log. Throws for wrong expressions. */
export async function openOidc(
  authenticators: JwtAuthenticator[],
  { clock, log }: { clock: Clock; log: Log },
): Promise<VerifyIdToken> {
  const verifiers = new Map<string, Verifier>();
  for (const [i, authenticator] of authenticators.entries()) {
    const { issuer } = authenticator;
    const userOf = await compileClaims(authenticator, `jwt[${i}]`);
    verifiers.set(issuer.url, { issuer, keys: new IssuerKeys(issuer, clock), userOf });
  }
  return async (token) => {
    if (token.length > tokenCharactersMax) return undefined;
    const verifier = verifiers.get(issuerOf(token) ?? "");
    if (!verifier) return undefined;
    try {
      return await verify(verifier, token, clock.now());
    } catch (error) {
      log.info("a token was refused", { issuer: verifier.issuer.url, error: String(error) });
      return undefined;
    }
  };
}
