import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { secretTokens, signSecretToken } from "./secret-token.ts";

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

test("a Secret's token is good while the Secret holds it and its account is the same", async () => {
  const key = newKey();
  const of = { namespace: "default", secret: "robot-token", account: { name: "robot", uid: "1" } };
  const token = signSecretToken(of, key);
  const data = (text: string) => ({ token: Buffer.from(text).toString("base64") });
  const account = { metadata: { name: "robot", uid: "1" } };
  const secret = { metadata: { name: "robot-token" }, data: data(token) };
  const who = (text: string, objects: object[], by = key) => {
    const [first, second] = objects;
    const known: Record<string, any> = {
      "secrets/default/robot-token": first,
      "serviceaccounts/default/robot": second,
    };
    return secretTokens(async (path) => known[path], by)(text);
  };
  assert.deepEqual(await who(token, [secret, account]), {
    name: "system:serviceaccount:default:robot",
    uid: "1",
    groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
  });
  const others = { metadata: { name: "robot", uid: "2" } };
  const gone = { metadata: { ...secret.metadata, deletionTimestamp: "x" }, data: secret.data };
  assert.equal(await who(token, [secret, others]), undefined);
  assert.equal(await who(token, [secret]), undefined);
  assert.equal(await who(token, [gone, account]), undefined);
  assert.equal(await who(token, [{ ...secret, data: data("other") }, account]), undefined);
  assert.equal(await who(token, [secret, account], newKey()), undefined);
  assert.equal(await who("nonsense", [secret, account]), undefined);
});
