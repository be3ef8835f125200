// Issues X.509 certificates (RFC 5280): ECDSA P-256 with SHA-256, version 3, only the extensions a
// cluster's certificates carry. Written out here because it is a hundred lines on node:crypto, and the
// library for it costs a reflection runtime and a slow import at every start. Reading certificates is
// left to node's X509Certificate.
import {
  createHash,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import * as d from "./der.ts";

export interface Subject {
  commonName: string;
  organizations?: string[];
}

export interface CertificateRequest {
  subject: Subject;
  publicKey: KeyObject;
  notBeforeMs: number;
  notAfterMs: number;
  usage: "ca" | "server" | "client";
  /** The key may also wrap others, as old RSA ciphers want. */
  keyEncipherment?: boolean;
  /** DNS names and IP addresses, told apart by their form. */
  names?: string[];
}

const ecdsaWithSha256 = d.sequence(d.objectId("1.2.840.10045.4.3.2"));

const attribute = (type: string, value: string) =>
  d.set(d.sequence(d.objectId(type), d.utf8(value)));

const nameOf = ({ commonName, organizations = [] }: Subject) =>
  d.sequence(
    ...organizations.map((organization) => attribute("2.5.4.10", organization)),
    attribute("2.5.4.3", commonName),
  );

const extension = (id: string, critical: boolean, value: Uint8Array) =>
  d.sequence(d.objectId(id), ...(critical ? [d.boolean(true)] : []), d.octets(value));

/** The 16 bytes of an IPv6 address, by way of the URL parser's canonical form. */
function ipv6Bytes(address: string): Buffer {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head, tail] = canonical.split("::").map((part) => part.split(":").filter(Boolean));
  const groups = tail
    ? [...head!, ...Array<string>(8 - head!.length - tail.length).fill("0"), ...tail]
    : head!;
  return Buffer.from(groups.map((group) => group.padStart(4, "0")).join(""), "hex");
}

const generalName = (name: string) => {
  if (isIPv4(name)) return d.implicit(7, Buffer.from(name.split(".").map(Number)));
  if (isIP(name)) return d.implicit(7, ipv6Bytes(name));
  return d.implicit(2, Buffer.from(name));
};

function keyUsage({ usage, keyEncipherment }: CertificateRequest) {
  // keyCertSign, cRLSign and digitalSignature.
  if (usage === "ca") return d.bits(Buffer.from([0b1000_0110]), 1);
  if (keyEncipherment) return d.bits(Buffer.from([0b1010_0000]), 5);
  return d.bits(Buffer.from([0b1000_0000]), 7);
}

const extendedUsage = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };

/** SHA-1 of the public key's bits, as RFC 5280 4.2.1.2 proposes. */
const keyId = (key: KeyObject) => {
  const [, keyBits] = d.readDer(d.readDer(key.export({ type: "spki", format: "der" }))[0]!.content);
  return createHash("sha1").update(keyBits!.content.subarray(1)).digest();
};

function extensions(request: CertificateRequest, issuerKey: KeyObject) {
  const { usage, names = [] } = request;
  const isCa = usage === "ca";
  const list = [
    extension("2.5.29.15", true, keyUsage(request)),
    extension("2.5.29.19", true, d.sequence(...(isCa ? [d.boolean(true)] : []))),
    extension("2.5.29.14", false, d.octets(keyId(request.publicKey))),
    extension("2.5.29.35", false, d.sequence(d.implicit(0, keyId(issuerKey)))),
  ];
  if (usage !== "ca") {
    list.push(extension("2.5.29.37", false, d.sequence(d.objectId(extendedUsage[usage]))));
  }
  if (names.length > 0) {
    list.push(extension("2.5.29.17", false, d.sequence(...names.map(generalName))));
  }
  return d.tagged(3, d.sequence(...list));
}

/** Issues a certificate in PEM, signed by `issuer`'s key. A CA's own certificate is its own issuer. */
export function issueCertificate(
  request: CertificateRequest,
  issuer: { subject: Subject; privateKey: KeyObject },
): string {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const body = d.sequence(
    d.tagged(0, d.integer(Buffer.from([2]))),
    d.integer(serial),
    ecdsaWithSha256,
    nameOf(issuer.subject),
    d.sequence(d.time(request.notBeforeMs), d.time(request.notAfterMs)),
    nameOf(request.subject),
    request.publicKey.export({ type: "spki", format: "der" }),
    extensions(request, createPublicKey(issuer.privateKey)),
  );
  const signature = sign("sha256", body, issuer.privateKey);
  return new X509Certificate(d.sequence(body, ecdsaWithSha256, d.bits(signature))).toString();
}

/** Asks for a certificate (PKCS #10, RFC 2986), in PEM, signed by the key that it is for. */
export function requestCertificate(subject: Subject, privateKey: KeyObject): string {
  const body = d.sequence(
    d.integer(Buffer.from([0])),
    nameOf(subject),
    createPublicKey(privateKey).export({ type: "spki", format: "der" }),
    d.tagged(0),
  );
  const signature = sign("sha256", body, privateKey);
  const whole = d.sequence(body, ecdsaWithSha256, d.bits(signature)).toString("base64");
  const lines = whole.match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
}

/**
 * The subject's common name and organizations. Read from the DER, because the text that node makes of a
 * subject cannot be told from one with line breaks inside a value.
 */
export function subjectOf(certificate: X509Certificate): Required<Subject> {
  const body = d.readDer(d.readDer(certificate.raw)[0]!.content)[0]!;
  const fields = d.readDer(body.content);
  return readName(fields[fields[0]!.tag === 0xa0 ? 5 : 4]!);
}

export function readName(subject: d.DerValue): Required<Subject> {
  const common = d.objectId("2.5.4.3");
  const organization = d.objectId("2.5.4.10");
  const result: Required<Subject> = { commonName: "", organizations: [] };
  for (const relative of d.readDer(subject.content)) {
    for (const pair of d.readDer(relative.content)) {
      const [type, value] = d.readDer(pair.content);
      const text = value!.content.toString();
      if (type!.whole.equals(common)) result.commonName = text;
      else if (type!.whole.equals(organization)) result.organizations.push(text);
    }
  }
  return result;
}
