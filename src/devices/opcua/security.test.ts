import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { rsaCertificate } from "../../../test/support/rsa-certificate.ts";
import { UaError } from "./codec.ts";
import { expand, modes, protectBy, readIdentity, rsaKeyOf, securePolicies } from "./security.ts";
import { chooseEndpoint, identityFor } from "./session.ts";
import type { UaEndpoint } from "./session.ts";

const nowMs = Date.UTC(2026, 0, 1);
const made = (uri: string, bits?: number) => rsaCertificate({ uri, nowMs, ...(bits && { bits }) });
const own = made("urn:kerb:a");
const other = made("urn:plc", 3072);
const identityOf = ({ certificate, privateKey }: typeof own) =>
  readIdentity(certificate, privateKey);
const [client, server] = [identityOf(own), identityOf(other)];
const userToken = {
  id: "login",
  kind: 1,
  security: "http://opcfoundation.org/UA/SecurityPolicy#Aes256_Sha256_RsaPss",
};
const head = Buffer.from("MSGF0000channel.token...");

function pair(policy: string, mode: number) {
  const parts = { policy, mode };
  const here = protectBy({ ...parts, identity: client, serverCertificate: server.certificate });
  const there = protectBy({ ...parts, identity: server, serverCertificate: client.certificate });
  const [nonce, answer] = [here.nonce(), there.nonce()];
  here.agree(answer);
  there.agree(nonce);
  return { here, there };
}

/** As it arrives: what stands before, and the rest. */
const split = (message: Buffer) =>
  [message.subarray(0, head.length), message.subarray(head.length)] as const;

for (const policy of securePolicies) {
  for (const mode of [modes.sign, modes.signAndEncrypt]) {
    const name = policy.split("#")[1];
    test(`${name} in mode ${mode}: each reads what the other wrote, of any length`, () => {
      const { here, there } = pair(policy, mode);
      for (const length of [0, 1, 15, 16, 31, 500]) {
        const body = Buffer.alloc(length, "b");
        const message = here.seal(head, body);
        assert.equal(message.readUInt32LE(4), message.length);
        assert.deepEqual(there.open(...split(message)), body);
        assert.deepEqual(here.open(...split(there.seal(head, body))), body);
        const opening = here.sealOpen(head, body);
        assert.equal(opening.readUInt32LE(4), opening.length);
        assert.deepEqual(there.openOpened(...split(opening)), body);
        assert.deepEqual(here.openOpened(...split(there.sealOpen(head, body))), body);
      }
    });
  }
}

test("keys that a hostile server might choose are refused before anything is done with them", () => {
  const tiny = new X509Certificate(made("urn:plc", 528).certificate).raw;
  for (const certificate of [tiny, Buffer.from("none")]) {
    assert.throws(() => rsaKeyOf(certificate), UaError);
    const endpoint = { mode: modes.none, security: "", certificate, tokens: [userToken] };
    const login = { username: "a", password: "b" };
    assert.throws(() => identityFor(endpoint, { login, nonce: Buffer.alloc(32) }), UaError);
  }
  const { here } = pair(securePolicies[0]!, modes.sign);
  for (const length of [0, 1, 256, 512]) {
    assert.throws(() => here.openOpened(head, Buffer.alloc(length, 7)), UaError);
  }
});

test("a message that was changed on the way is not read", () => {
  for (const mode of [modes.sign, modes.signAndEncrypt]) {
    const { here, there } = pair(securePolicies[0]!, mode);
    const message = here.seal(head, Buffer.from("speed is 12"));
    message[head.length + 3]! ^= 1;
    assert.throws(() => there.open(...split(message)), /not signed by the server/);
    assert.throws(() => there.open(head, Buffer.alloc(16)), /ends too early|not signed/);
  }
});

test("who is not the server cannot open the channel", () => {
  const { here } = pair(securePolicies[0]!, modes.sign);
  const liar = identityOf(made("urn:plc", 3072));
  const parts = { policy: securePolicies[0]!, mode: modes.sign };
  const fake = protectBy({ ...parts, identity: liar, serverCertificate: client.certificate });
  const opening = fake.sealOpen(head, Buffer.from("hello"));
  assert.throws(() => here.openOpened(...split(opening)), /not signed by the server/);
});

test("with encryption nothing of a message can be seen", () => {
  const body = Buffer.from("the password is wonderland");
  const { here: signing } = pair(securePolicies[0]!, modes.sign);
  const { here: hiding } = pair(securePolicies[0]!, modes.signAndEncrypt);
  assert.ok(signing.seal(head, body).includes("wonderland"));
  assert.ok(!hiding.seal(head, body).includes("wonderland"));
});

test("keys are expanded as TLS 1.2 does", () => {
  // The vector for P_SHA256 that TLS implementers share.
  const secret = Buffer.from("9bbe436ba940f017b17652849a71db35", "hex");
  const seed = Buffer.from("a0ba9f936cda311827a6f796ffd5198c", "hex");
  const label = Buffer.concat([Buffer.from("test label"), seed]);
  assert.equal(expand(secret, label, 16).toString("hex"), "e3f229ba727be17b8d122620557cd453");
});

test("a certificate without a URI, and a key of another, are refused", () => {
  assert.throws(() => readIdentity(own.certificate, other.privateKey), /not the certificate's/);
  assert.throws(() => readIdentity("no", own.privateKey));
});

const endpoint = (mode: number, security: string): UaEndpoint => ({
  certificate: undefined,
  mode,
  security,
  tokens: [],
});
const none = endpoint(modes.none, "http://opcfoundation.org/UA/SecurityPolicy#None");
const old = endpoint(modes.sign, "http://opcfoundation.org/UA/SecurityPolicy#Basic128Rsa15");
const [signed, sealed] = [modes.sign, modes.signAndEncrypt].map((mode) =>
  endpoint(mode, securePolicies[0]!),
) as [UaEndpoint, UaEndpoint];

test("with a certificate the best protected endpoint is taken, and never an open one", () => {
  assert.equal(chooseEndpoint([none, signed, sealed], true), sealed);
  assert.equal(chooseEndpoint([none, signed], true), signed);
  assert.throws(() => chooseEndpoint([none, old], true), /only None, Basic128Rsa15/);
  assert.equal(chooseEndpoint([sealed, none], false), none);
  assert.throws(() => chooseEndpoint([sealed], false), /may say certificate and privateKey/);
});
