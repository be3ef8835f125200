// Certificates of RSA keys that sign themselves, as OPC UA's applications have them.
import { generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import * as d from "../../src/server/auth/der.ts";

const sha256WithRsa = d.sequence(d.objectId("1.2.840.113549.1.1.11"), Buffer.of(5, 0));
const commonName = (text: string) =>
  d.sequence(d.set(d.sequence(d.objectId("2.5.4.3"), d.utf8(text))));

/** In PEM. `uri` is its alternative name; a year on both sides of `nowMs`. */
export function rsaCertificate({
  uri,
  bits = 2048,
  nowMs,
}: {
  uri: string;
  bits?: number;
  nowMs: number;
}) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  const yearMs = 365 * 86_400_000;
  const names = d.sequence(d.implicit(6, Buffer.from(uri)));
  const body = d.sequence(
    d.tagged(0, d.integer(Buffer.of(2))),
    d.integer(Buffer.of(1)),
    sha256WithRsa,
    commonName("test"),
    d.sequence(d.time(nowMs - yearMs), d.time(nowMs + yearMs)),
    commonName("test"),
    publicKey.export({ type: "spki", format: "der" }),
    d.tagged(3, d.sequence(d.sequence(d.objectId("2.5.29.17"), d.octets(names)))),
  );
  const signature = d.bits(sign("sha256", body, privateKey));
  return {
    certificate: new X509Certificate(d.sequence(body, sha256WithRsa, signature)).toString(),
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}
