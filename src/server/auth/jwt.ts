// JSON Web Tokens, signed with ES256 only (RFC 7519, RFC 7518 3.4). Algorithms are not negotiated: a
// token whose header names another is refused before its signature is looked at.
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

/** Longest token that is looked at. */
const tokenCharactersMax = 16 * 1024;

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (text: string): any => JSON.parse(Buffer.from(text, "base64url").toString());

/** How upstream names a key: the SHA-256 of its SubjectPublicKeyInfo. */
export function keyIdOf(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("base64url");
}

export function signJwt(claims: object, key: KeyObject, keyId: string): string {
  const signed = `${encode({ alg: "ES256", kid: keyId })}.${encode(claims)}`;
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

/** The claims of a token that `key` signed; undefined for any other text. Times are not judged. */
export function verifyJwt(token: string, key: KeyObject): Record<string, any> | undefined {
  if (token.length > tokenCharactersMax) return undefined;
  const [header, claims, signature, ...more] = token.split(".");
  if (!header || !claims || !signature || more.length > 0) return undefined;
  try {
    if (decode(header).alg !== "ES256") return undefined;
    const bytes = Buffer.from(signature, "base64url");
    const options = { key, dsaEncoding: "ieee-p1363" } as const;
    const good = verify("sha256", Buffer.from(`${header}.${claims}`), options, bytes);
    return good ? decode(claims) : undefined;
  } catch {
    return undefined;
  }
}

/** `key` as a JSON Web Key Set. */
export const jwksOf = (key: KeyObject) => ({
  keys: [
    {
      use: "sig",
      ...createPublicKey(key).export({ format: "jwk" }),
      kid: keyIdOf(key),
      alg: "ES256",
    },
  ],
});
