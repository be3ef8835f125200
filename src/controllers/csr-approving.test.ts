import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { resource } from "../client/client.ts";
import type { Draft } from "../kinds/object.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { requestCertificate } from "../server/auth/x509.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { csrApproving } from "./csr-approving.ts";
import { conditionOf, requests } from "./csr.ts";

const nodes = resource("v1", "nodes");
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const signing = {
  isOwn: () => true,
  sign: () => "",
  nodeOf: () => "system:node:shop",
};

test("a token makes a machine any node but one that is well", async (t) => {
  const clock = new FakeClock();
  const { client, server, scope, informer } = await startControlled([csrApproving(signing)], {
    clock,
  });
  t.after(() => scope.close());
  const allowed = { code: 201, object: { status: { allowed: true } } };
  server.plugs.reviews.set("subjectaccessreviews.authorization.k8s.io", async () => allowed);
  const ask = (name: string, username: string) => {
    const spec = {
      ...{ username, groups: [] },
      ...{ signerName: "kubernetes.io/kube-apiserver-client-kubelet", usages: ["client auth"] },
      request: btoa(requestCertificate({ commonName: "system:node:shop" }, privateKey)),
    };
    const kind = "CertificateSigningRequest";
    const draft = { apiVersion: "certificates.k8s.io/v1", kind, metadata: { name }, spec };
    return client.create(requests, draft as Draft);
  };
  const say = async (status: string) => {
    const conditions = [{ type: "Ready", status }];
    const target = { ...nodes, name: "shop", subresource: "status" };
    await client.patch(target, "merge", { status: { conditions } });
  };
  const isApproved = (name: string) => {
    const request = informer(requests).get(name);
    return request !== undefined && conditionOf(request, "Approved") !== undefined;
  };
  await ask("first", "system:bootstrap:abcdef");
  await clock.advance(1000);
  assert.ok(isApproved("first"), "there is no such node");

  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "shop" } };
  await client.create(nodes, node as Draft);
  await say("True");
  await ask("thief", "system:bootstrap:abcdef");
  await ask("renewal", "system:node:shop");
  await clock.advance(60_000);
  assert.ok(!isApproved("thief"));
  assert.ok(isApproved("renewal"), "the node itself renews");

  await say("Unknown");
  await clock.advance(60_000);
  assert.ok(isApproved("thief"), "a machine that was set up anew has its name back");
});
