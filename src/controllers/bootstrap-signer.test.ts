import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { bootstrapSigner } from "./bootstrap-signer.ts";

const configMaps = { ...resource("v1", "configmaps"), namespace: "kube-public" };
const secrets = { ...resource("v1", "secrets"), namespace: "kube-system" };

function token(id: string, secret: string, signing: string) {
  const plain = { "token-id": id, "token-secret": secret, "usage-bootstrap-signing": signing };
  const data = Object.fromEntries(
    Object.entries(plain).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  const metadata = { name: `bootstrap-token-${id}` };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    type: "bootstrap.kubernetes.io/token",
    data,
  };
}

test("cluster-info carries a signature of every token that may sign, and of no other", async (t) => {
  const { client, scope, until } = await startControlled([bootstrapSigner]);
  t.after(() => scope.close());
  const kubeconfig = "apiVersion: v1\n";
  const metadata = { name: "cluster-info" };
  const info = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { kubeconfig } };
  await client.create(configMaps, info);
  await client.create(secrets, token("aaaaaa", "0123456789abcdef", "true"));
  await client.create(secrets, token("bbbbbb", "0123456789abcdef", "false"));
  const signed = await until(configMaps, ([one]) => one?.["data"]["jws-kubeconfig-aaaaaa"] && one);
  assert.deepEqual(Object.keys(signed["data"]).toSorted(), ["jws-kubeconfig-aaaaaa", "kubeconfig"]);
  const [header, payload, signature] = signed["data"]["jws-kubeconfig-aaaaaa"].split(".");
  assert.equal(payload, "");
  const whole = `${header}.${Buffer.from(kubeconfig).toString("base64url")}`;
  const expected = createHmac("sha256", "0123456789abcdef").update(whole).digest("base64url");
  assert.equal(signature, expected);
  await client.delete({ ...secrets, name: "bootstrap-token-aaaaaa" });
  await until(configMaps, ([one]) => Object.keys(one!["data"]).length === 1);
});
