import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { serviceAccountToken } from "./service-account-token.ts";

const secrets = resource("v1", "secrets");
const accounts = resource("v1", "serviceaccounts");
const place = { namespace: "default" };

let cluster: Cluster;
beforeEach(async () => {
  const secretToken = ({ secret, account }: { secret: string; account: { name: string } }) =>
    `${secret} of ${account.name}`;
  cluster = await startControlled([serviceAccountToken({ ca: () => "PEM", secretToken })]);
});
afterEach(() => cluster.scope.close());

const text = (value: string) => Buffer.from(value, "base64").toString();

test("a token Secret is filled for its account and goes with it", async () => {
  const { client } = cluster;
  const draft = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot" } };
  const robot = await client.create({ ...accounts, ...place }, draft);
  const secret = (name: string, account: string) => ({
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/service-account-token",
    metadata: { name, annotations: { "kubernetes.io/service-account.name": account } },
  });
  await client.create({ ...secrets, ...place }, secret("key", "robot"));
  const filled = await cluster.until(secrets, (all) => all.find((one) => one["data"]?.token));
  assert.equal(text(filled["data"].token), "key of robot");
  assert.equal(text(filled["data"]["ca.crt"]), "PEM");
  assert.equal(text(filled["data"].namespace), "default");
  const uid = filled.metadata.annotations!["kubernetes.io/service-account.uid"];
  assert.equal(uid, robot.metadata.uid);
  await client.delete({ ...accounts, ...place, name: "robot" });
  await cluster.until(secrets, (all) => all.length === 0);
});
