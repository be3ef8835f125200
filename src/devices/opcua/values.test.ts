import assert from "node:assert/strict";
import { generateKeyPairSync, privateDecrypt } from "node:crypto";
import { test } from "node:test";
import { PropertyRefused } from "../twins/channel.ts";
import { UaReader } from "./codec.ts";
import { encryptPassword, identityFor } from "./session.ts";
import { nodeOf, readVariant, writeVariant } from "./values.ts";

const names: [text: string, bytes: string][] = [
  ["i=2258", "020000d2080000"],
  ["ns=2;i=7", "02020007000000"],
  ["ns=1;s=Ab", "030100020000004162"],
  ["ns=1;b=AQI=", "050100020000000102"],
  ["g=00112233-4455-6677-8899-aabbccddeeff", "04000033221100554477668899aabbccddeeff"],
];
for (const [text, bytes] of names) {
  test(`the node ${text} is named by ${bytes}`, () => {
    const written = nodeOf(text);
    assert.equal(written.toString("hex"), bytes);
    assert.deepEqual(new UaReader(written).node(), written);
  });
}

for (const text of ["Speed", "ns=70000;i=1", "i=5000000000", "g=12", "", undefined]) {
  test(`${JSON.stringify(text)} names no node`, () => {
    assert.throws(() => nodeOf(text), PropertyRefused);
  });
}

const values: [type: number, text: string, read?: string][] = [
  [1, "true"],
  [1, "0", "false"],
  [2, "-128"],
  [3, "255"],
  [4, "-32768"],
  [5, "65535"],
  [6, "-2147483648"],
  [7, "4294967295"],
  [8, "-9223372036854775808"],
  [9, "18446744073709551615"],
  [10, "1.1"],
  [11, "0.1"],
  [12, "grüß"],
  [21, "warm"],
];
for (const [type, text, read = text] of values) {
  test(`${text} as a value of type ${type} is read as ${read}`, () => {
    const found = readVariant(new UaReader(writeVariant(type, text)));
    assert.deepEqual(found, { type, text: read });
  });
}

const refused: [type: number, text: string][] = [
  [1, "yes"],
  [3, "256"],
  [4, "1.5"],
  [6, ""],
  [8, "9223372036854775808"],
  [11, "Infinity"],
  [13, "2026-01-01"],
  [0, "1"],
];
for (const [type, text] of refused) {
  test(`${JSON.stringify(text)} is no value of type ${type}`, () => {
    assert.throws(() => writeVariant(type, text), PropertyRefused);
  });
}

test("an array and a structure are named as what is not read", () => {
  assert.throws(() => readVariant(new UaReader(Buffer.of(0x8b))), /array/);
  assert.throws(() => readVariant(new UaReader(Buffer.of(22))), /type 22/);
});

test("a password longer than a block crosses in several, each of which the server's key opens", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const password = "p".repeat(150);
  const nonce = Buffer.from("nonce of the server, 32 bytes ..");
  const hash = { oaepHash: "sha1", paddingBytes: 42 };
  const secret = encryptPassword(password, { key: publicKey, nonce, ...hash });
  assert.equal(secret.length, 3 * 128);
  const blocks = [0, 128, 256].map((at) =>
    privateDecrypt({ key: privateKey, oaepHash: "sha1" }, secret.subarray(at, at + 128)),
  );
  const plain = Buffer.concat(blocks);
  assert.equal(plain.readUInt32LE(), 182);
  assert.equal(plain.subarray(4).toString(), password + nonce.toString());
});

test("a password is not sent where it would cross as it is", () => {
  const tokens = [
    { id: "a", kind: 1, security: "http://opcfoundation.org/UA/SecurityPolicy#None" },
  ];
  const endpoint = { certificate: Buffer.alloc(1), mode: 1, security: "", tokens };
  const login = { username: "alice", password: "wonder" };
  const nonce = Buffer.alloc(32);
  assert.throws(() => identityFor(endpoint, { login, nonce }), /no password that is encrypted/);
  assert.throws(() => identityFor(endpoint, { login: undefined, nonce }), /wants a username/);
});
