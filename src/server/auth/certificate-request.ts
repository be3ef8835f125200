// Reads PKCS #10 requests for certificates (RFC 2986): who asks for what names with which key, and that the
// key is theirs.
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { objectId, readDer, type DerValue } from "./der.ts";
import { readName, type Subject } from "./x509.ts";

export interface ReadRequest {
  subject: Required<Subject>;
  publicKey: KeyObject;
  /** DNS names and IP addresses. */
  names: string[];
  /** Mail addresses, URIs and whatever else a certificate could be for. */
  otherNames: number;
}

const hashes: [algorithm: string, hash: string | null][] = [
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.3.101.112", null],
];
const extensionRequest = objectId("1.2.840.113549.1.9.14");
const alternativeNames = objectId("2.5.29.17");
const dnsTag = 0x82;
const ipTag = 0x87;

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return groups.join(":");
}

function alternatives(extensions: DerValue[]) {
  const names: string[] = [];
  let otherNames = 0;
  for (const extension of extensions) {
    const [id, ...rest] = readDer(extension.content);
    if (!id!.whole.equals(alternativeNames)) continue;
    for (const { tag, content } of readDer(readDer(rest.at(-1)!.content)[0]!.content)) {
      if (tag === dnsTag) names.push(content.toString());
      else if (tag === ipTag) names.push(addressText(content));
      else otherNames += 1;
    }
  }
  return { names, otherNames };
}

/** The extensions that the attributes ask for. */
function requested(attributes: DerValue | undefined): DerValue[] {
  if (!attributes) return [];
  return readDer(attributes.content).flatMap((attribute) => {
    const [id, values] = readDer(attribute.content);
    if (!id!.whole.equals(extensionRequest)) return [];
    return readDer(readDer(values!.content)[0]!.content);
  });
}

/** Reads a request in PEM. Throws an Error that says what is wrong with it. */
export function readCertificateRequest(pem: string): ReadRequest {
  const match = /-----BEGIN CERTIFICATE REQUEST-----([^-]+)-----END/.exec(pem);
  if (!match) throw new Error("it is no PEM block of a CERTIFICATE REQUEST");
  const [body, algorithm, signature] = readDer(
    readDer(Buffer.from(match[1]!, "base64"))[0]!.content,
  );
  const [, subject, spki, attributes] = readDer(body!.content);
  const publicKey = createPublicKey({ key: spki!.whole, format: "der", type: "spki" });
  const [id] = readDer(algorithm!.content);
  const hash = hashes.find(([known]) => objectId(known).equals(id!.whole));
  if (!hash) throw new Error("it is signed by an algorithm that is not supported");
  if (!verify(hash[1], body!.whole, publicKey, signature!.content.subarray(1))) {
    throw new Error("it is not signed by the key that it asks a certificate for");
  }
  return { subject: readName(subject!), publicKey, ...alternatives(requested(attributes)) };
}
