// Signatures as cosign leaves them in a registry: a text that names the digest, signed by a key that people know.
// Keys alone are asked, no certificates and no transparency log. Pure.
import { createPublicKey, verify } from "node:crypto";

export interface CosignSignature {
  /** The text that was signed. */
  payload: Uint8Array;
  /** Base64. */
  signature: string;
}

const isFor = (payload: Uint8Array, digest: string) => {
  try {
    const { critical } = JSON.parse(Buffer.from(payload).toString());
    return critical?.image?.["docker-manifest-digest"] === digest;
  } catch {
    return false;
  }
};

/** Whether one of the signatures is of `digest` and by one of `keys` (PEM). */
export function isSigned(digest: string, signatures: CosignSignature[], keys: string[]): boolean {
  return signatures
    .filter(({ payload }) => isFor(payload, digest))
    .some(({ payload, signature }) =>
      keys.some((pem) => {
        try {
          return verify("sha256", payload, createPublicKey(pem), Buffer.from(signature, "base64"));
        } catch {
          return false;
        }
      }),
    );
}
