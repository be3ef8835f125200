// What a machine needs to become a node: where the server is, a bootstrap token, and by which hash it knows
// the server's authority before it trusts anything.
import { createHash, randomBytes, X509Certificate } from "node:crypto";

/** Nodes that come in with a token are in this group, and RBAC lets it ask for a node's certificate. */
export const joinGroup = "system:bootstrappers:kerb:nodes";

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

function letters(count: number): string {
  let text = "";
  // Bytes that would favour some letters are left out.
  while (text.length < count) {
    for (const byte of randomBytes(count)) if (byte < 252) text += alphabet[byte % alphabet.length];
  }
  return text.slice(0, count);
}

/** A bootstrap token, `abcdef.0123456789abcdef`. */
export const newToken = () => ({ id: letters(6), secret: letters(16) });

/** `sha256:HEX` of the authority's public key, as kubeadm has it. */
export function caHash(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}
