import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { builtinKinds } from "../../kinds/kinds.ts";
import { requestCertificate } from "../auth/x509.ts";
import type { AdmissionRequest } from "../policy.ts";
import { certificates } from "./certificates.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = (...organizations: string[]) =>
  requestCertificate({ commonName: "eve", organizations }, privateKey);

async function create(text: string, signerName = "kubernetes.io/kube-apiserver-client") {
  const object = { metadata: {}, spec: { signerName, request: btoa(text) } };
  const kind = builtinKinds().get("certificates.k8s.io", "v1", "certificatesigningrequests");
  const judge = certificates(async () => ({ allowed: false, reason: "" }));
  await judge.validate!({
    ...{ kind, operation: "CREATE", subresource: "", name: "", namespace: "", object },
    user: { name: "eve", groups: [] },
  } as unknown as AdmissionRequest);
}

test("nobody asks the client signer to make an administrator of them", async () => {
  await create(pem("farmers"));
  await create(pem("system:masters"), "example.com/own");
  const refusal = { reason: "Forbidden", message: /system:masters group is not allowed/ };
  await assert.rejects(create(pem("farmers", "system:masters")), refusal);
});

test("what stands around a request does not hide what it asks for", async () => {
  const decoy = "-----BEGIN OLD REQUEST-----\nQUJD\n-----END OLD REQUEST-----\n";
  await assert.rejects(create(decoy + pem("system:masters")), { reason: "Forbidden" });
  await create(`system:masters ${pem("farmers")}`);
});
