import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { rsaCertificate } from "../../../test/support/rsa-certificate.ts";
import { trustOf } from "./trust.ts";

const made = (uri: string) => rsaCertificate({ uri, nowMs: Date.now() }).certificate;
const given = (text: string) => new Map([["certificateAuthority", Buffer.from(text)]]);
const shown = (pem: string) => new X509Certificate(pem).toLegacyObject() as any;

test("who was given is believed under any name, and who was signed under its own or by address", () => {
  const [own, signed] = [made("urn:a"), made("urn:b")];
  const { checkServerIdentity } = trustOf(given(own))!;
  assert.equal(checkServerIdentity("plc.local", shown(own)), undefined);
  assert.equal(checkServerIdentity("10.0.0.1", shown(signed)), undefined);
  assert.match(checkServerIdentity("plc.local", shown(signed))!.message, /plc\.local/);
});

test("what is no certificate is refused by name", () => {
  assert.equal(trustOf(new Map()), undefined);
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
  for (const text of ["", "hello", broken]) {
    assert.throws(() => trustOf(given(text)), /certificateAuthority/);
  }
});
