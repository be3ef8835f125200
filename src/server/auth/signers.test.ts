import assert from "node:assert/strict";
import { generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import * as d from "./der.ts";
import { openPki } from "./pki.ts";
import { nodeOf, signRequest, type SigningSpec } from "./signers.ts";
import { subjectOf } from "./x509.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const attribute = (type: string, value: string) =>
  d.set(d.sequence(d.objectId(type), d.utf8(value)));

/** A request in PEM; `names` are DNS names, `signWith` another key than the one it is for. */
function requestOf(
  organization: string,
  commonName: string,
  names: string[] = [],
  key = privateKey,
) {
  const alternatives = d.sequence(...names.map((name) => d.implicit(2, Buffer.from(name))));
  const extension = d.sequence(d.objectId("2.5.29.17"), d.octets(alternatives));
  const wanted = d.sequence(
    d.objectId("1.2.840.113549.1.9.14"),
    d.set(d.sequence(...(names.length > 0 ? [extension] : []))),
  );
  const info = d.sequence(
    d.integer(Buffer.from([0])),
    d.sequence(attribute("2.5.4.10", organization), attribute("2.5.4.3", commonName)),
    publicKey.export({ type: "spki", format: "der" }),
    d.tagged(0, wanted),
  );
  const algorithm = d.sequence(d.objectId("1.2.840.10045.4.3.2"));
  const request = d.sequence(info, algorithm, d.bits(sign("sha256", info, key)));
  const base64 = request.toString("base64");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${base64}\n-----END CERTIFICATE REQUEST-----\n`;
}

const spec = (signer: string, pem: string, usages: string[], more = {}): SigningSpec => ({
  signerName: `kubernetes.io/${signer}`,
  request: Buffer.from(pem).toString("base64"),
  usages: ["digital signature", ...usages],
  ...more,
});

const clock = new FakeClock();
const files = new Map<string, string>();
const storage = {
  read: async (name: string) => files.get(name),
  write: async (name: string, data: string) => void files.set(name, data),
};
const pki = await openPki(storage, { clock, names: [] });
const node = requestOf("system:nodes", "system:node:a");

test("a certificate says who its owner is, is the authority's, and lasts as long as asked for", () => {
  const asked = spec("kube-apiserver-client", requestOf("farmers", "ann"), ["client auth"], {
    expirationSeconds: 3600,
  });
  const certificate = new X509Certificate(signRequest(pki, asked));
  assert.deepEqual(subjectOf(certificate), { commonName: "ann", organizations: ["farmers"] });
  assert.ok(certificate.checkIssued(new X509Certificate(pki.ca())));
  const short = new X509Certificate(signRequest(pki, { ...asked, expirationSeconds: 1 }));
  const seconds = (Date.parse(certificate.validTo) - Date.parse(short.validTo)) / 1000;
  assert.equal(seconds, 3000, "an hour, and the ten minutes that are the least");
});

test("a certificate begins now, a little before; one for clocks that lie begins in 1970", () => {
  const asked = spec("kube-apiserver-client", requestOf("farmers", "ann"), ["client auth"]);
  const begins = (pem: string) => Date.parse(new X509Certificate(pem).validFrom);
  const agoMs = clock.now() - begins(signRequest(pki, asked));
  assert.ok(agoMs > 0 && agoMs < 600_000, String(agoMs));
  assert.equal(begins(signRequest(pki, asked, { anyClock: true })), 0);
});

test("a serving certificate holds the names that were asked for", () => {
  const pem = requestOf("system:nodes", "system:node:a", ["a.example.com"]);
  const asked = spec("kubelet-serving", pem, ["server auth", "key encipherment"]);
  assert.ok(new X509Certificate(signRequest(pki, asked)).checkHost("a.example.com"));
});

const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const refused: [spec: SigningSpec, why: RegExp][] = [
  [spec("kube-apiserver-client", node, ["server auth"]), /must include "client auth"/],
  [spec("kube-apiserver-client", node, ["client auth", "cert sign"]), /"cert sign" is not allowed/],
  [
    spec("kube-apiserver-client-kubelet", requestOf("x", "system:node:a"), ["client auth"]),
    /organization/,
  ],
  [
    spec("kube-apiserver-client-kubelet", requestOf("system:nodes", "a"), ["client auth"]),
    /common name/,
  ],
  [
    spec("kube-apiserver-client-kubelet", requestOf("system:nodes", "system:node:a", ["a"]), [
      "client auth",
    ]),
    /alternative names/,
  ],
  [spec("kubelet-serving", node, ["server auth"]), /subjectAltName is required/],
  [spec("kube-apiserver-client", "hello", ["client auth"]), /no PEM block/],
  [
    spec("kube-apiserver-client", requestOf("x", "y", [], stranger), ["client auth"]),
    /not signed by the key/,
  ],
];

for (const [asked, why] of refused) {
  test(`a request is refused: ${why.source}`, () => {
    assert.throws(() => signRequest(pki, asked), why);
  });
}

test("a node's agent is known by what it asks for", () => {
  const signer = "kube-apiserver-client-kubelet";
  assert.equal(nodeOf(spec(signer, node, ["client auth"])), "system:node:a");
  assert.equal(nodeOf(spec(signer, requestOf("x", "y"), ["client auth"])), undefined);
  assert.equal(nodeOf(spec(signer, "broken", ["client auth"])), undefined);
  assert.equal(nodeOf(spec("kube-apiserver-client", node, ["client auth"])), undefined);
});
