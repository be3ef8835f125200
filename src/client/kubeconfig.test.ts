import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { parseKubeconfig } from "./kubeconfig.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const config = (user: object, cluster: object = {}) =>
  stringify({
    "current-context": "here",
    contexts: [{ name: "here", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443", ...cluster } }],
    users: [{ name: "u", user }],
  });

test("certificates come from the data in the file", () => {
  const user = { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") };
  assert.deepEqual(parseKubeconfig(config(user, { "certificate-authority-data": base64("CA") })), {
    server: "https://127.0.0.1:6443",
    ca: "CA",
    cert: "CERT",
    key: "KEY",
  });
});

test("files are relative to the kubeconfig, and a token's file is read anew each time", () => {
  const directory = mkdtempSync(join(tmpdir(), "kerb-kubeconfig-"));
  try {
    writeFileSync(join(directory, "ca.pem"), "CA");
    writeFileSync(join(directory, "token"), "one\n");
    const text = config({ tokenFile: "token" }, { "certificate-authority": "ca.pem" });
    const connection = parseKubeconfig(text, directory);
    assert.equal(connection.ca, "CA");
    assert.equal(connection.token!(), "one");
    writeFileSync(join(directory, "token"), "two\n");
    assert.equal(connection.token!(), "two");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const refused: [string, string, RegExp][] = [
  ["exec", config({ exec: { command: "x" } }), /users\[\]\.user\.exec is not supported/],
  ["basic auth", config({ username: "x" }), /users\[\]\.user\.username is not supported/],
  [
    "no verification",
    config({}, { "insecure-skip-tls-verify": true }),
    /clusters\[\]\.cluster\.insecure-skip-tls-verify is not supported/,
  ],
  ["an empty file", "", /current-context is not set/],
  ["a missing context", "current-context: x", /no context named "x"/],
  ["no server", config({}, { server: "" }), /server is not set/],
];
for (const [what, text, message] of refused) {
  test(`${what} is refused by name`, () => assert.throws(() => parseKubeconfig(text), message));
}
