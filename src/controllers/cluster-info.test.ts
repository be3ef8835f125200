import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { bootstrapSigner } from "./bootstrap-signer.ts";
import { clusterInfo } from "./cluster-info.ts";

const configMaps = { ...resource("v1", "configmaps"), namespace: "kube-public" };
const secrets = { ...resource("v1", "secrets"), namespace: "kube-system" };
const slices = { ...resource("discovery.k8s.io/v1", "endpointslices"), namespace: "default" };
const bindings = resource("rbac.authorization.k8s.io/v1", "rolebindings");

test("cluster-info is there for anybody while a token may sign it, and for nobody else", async (t) => {
  const controllers = [clusterInfo(() => "PEM"), bootstrapSigner];
  const { client, scope, until } = await startControlled(controllers);
  t.after(() => scope.close());
  const inPublic = { ...bindings, namespace: "kube-public" };
  await client.create(slices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "kubernetes", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["192.0.2.1"] }],
    ports: [{ name: "https", port: 6443, protocol: "TCP" }],
  });
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  await client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "bootstrap-token-aaaaaa" },
    type: "bootstrap.kubernetes.io/token",
    data: {
      "token-id": base64("aaaaaa"),
      "token-secret": base64("0123456789abcdef"),
      "usage-bootstrap-signing": base64("true"),
    },
  });
  const info = await until(configMaps, ([one]) => one?.["data"]["jws-kubeconfig-aaaaaa"] && one);
  assert.match(info["data"].kubeconfig, /server: https:\/\/192.0.2.1:6443/);
  assert.match(info["data"].kubeconfig, new RegExp(`authority-data: ${base64("PEM")}`));
  const [binding] = await until(inPublic, (all) => all.length > 0 && all);
  assert.equal(binding!["subjects"][0].name, "system:anonymous");
  await client.delete({ ...secrets, name: "bootstrap-token-aaaaaa" });
  await until(configMaps, (all) => all.length === 0);
  await until(inPublic, (all) => all.length === 0);
});
